// Connects to NATS for a program and makes the client that owns the connection.
import { createSilentMeter, silentLogger } from "../base/index.ts";
import { checkName, createSubjects, MAX_KEPT_DAYS, SwarmError } from "../protocol/index.ts";
import { connectNats } from "../transport/index.ts";
import { createDoorCaller, createDoorTasks } from "../work/index.ts";
import { SwarmClient } from "./client.ts";
import { findTracer } from "./find-tracer.ts";
import type { Client, ConnectOptions } from "./types.ts";

/** Where a NATS server listens on a machine of a developer. */
const DEFAULT_SERVER = "nats://127.0.0.1:4222";

const DAY_MS = 86_400_000;

/** Connects, and makes the client. @throws SwarmError as {@link connect}. */
export async function openClient(options: ConnectOptions): Promise<Client> {
  const {
    servers,
    prefix,
    name = "murmur-client",
    waitForServer,
    journalDays,
    operateAs,
    ...target
  } = options;
  const user = operateAs ?? (process.env.MURMUR_OPERATE_AS || undefined); // an empty variable is switched off
  if (user !== undefined) checkName(user, "operateAs");
  const subjects = createSubjects(prefix ?? process.env.MURMUR_PREFIX ?? "murmur");
  const meter = createSilentMeter();
  const transport = await connectNats({
    ...target,
    servers: servers ?? process.env.NATS_URL ?? DEFAULT_SERVER,
    prefix: subjects.prefix,
    name,
    waitOnFirstConnect: waitForServer,
    limits: { journalAgeMs: readJournalAge(journalDays) },
    // A library writes no log lines: the program hears of faults from its calls.
    log: silentLogger,
    meter,
  });
  if (user === undefined) {
    return new SwarmClient({
      transport,
      meter,
      tracer: await findTracer(),
      onClose: () => transport.close(),
    });
  }
  const tasks = createDoorTasks({ transport, caller: createDoorCaller({ transport, user }) });
  const onClose = async () => {
    tasks.close();
    await transport.close();
  };
  return new SwarmClient({ transport, tasks, onClose });
}

/** @throws SwarmError `invalid_input` for an age that is not a whole number of days in the range of the setting. */
function readJournalAge(days: number | undefined): number | undefined {
  if (days === undefined) return undefined;
  if (Number.isInteger(days) && days >= 1 && days <= MAX_KEPT_DAYS) return days * DAY_MS;
  throw new SwarmError(
    "invalid_input",
    `journalDays must be a whole number of days from 1 to ${MAX_KEPT_DAYS}, got ${String(days)}`,
    { field: "journalDays" },
  );
}
