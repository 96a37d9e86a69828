// Connects to NATS for a program and makes the client that owns the connection.
import { createSilentMeter, silentLogger } from "../base/index.ts";
import { createSubjects } from "../protocol/index.ts";
import { connectNats } from "../transport/index.ts";
import { SwarmClient } from "./client.ts";
import type { Client, ConnectOptions } from "./types.ts";

/** Where a NATS server listens on a machine of a developer. */
const DEFAULT_SERVER = "nats://127.0.0.1:4222";

/** Connects, and makes the client. @throws SwarmError as {@link connect}. */
export async function openClient(options: ConnectOptions): Promise<Client> {
  const { servers, prefix, name = "murmur-client", waitForServer, ...target } = options;
  const subjects = createSubjects(prefix ?? process.env.MURMUR_PREFIX ?? "murmur");
  const meter = createSilentMeter();
  const transport = await connectNats({
    ...target,
    servers: servers ?? process.env.NATS_URL ?? DEFAULT_SERVER,
    prefix: subjects.prefix,
    name,
    waitOnFirstConnect: waitForServer,
    // A library writes no log lines: the program hears of faults from its calls.
    log: silentLogger,
    meter,
  });
  return new SwarmClient({ transport, meter, onClose: () => transport.close() });
}
