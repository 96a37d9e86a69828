// A swarm on a nats-server that belongs to one test.
import { type ConnectionOptions, connect } from "@nats-io/transport-node";
import { expect, onTestFinished, vi } from "vitest";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { createSubjects } from "../../src/protocol/index.ts";
import { type ConnectNatsOptions, connectNats, type Transport } from "../../src/transport/index.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";

/** Starts a server and connects to it; both end with the test. */
export async function startSwarm(
  options: {
    server?: NonNullable<Parameters<typeof startNatsServer>[0]>;
    connect?: Partial<ConnectNatsOptions>;
    init?: boolean;
  } = {},
) {
  const server = await startNatsServer(options.server);
  onTestFinished(() => server.stop());
  const meter = createMeter();
  const connect = async (more: Partial<ConnectNatsOptions> = {}) => {
    const transport = await connectNats({
      servers: server.url,
      name: "test",
      prefix: "murmur",
      log: silentLogger,
      meter,
      ...options.connect,
      ...more,
    });
    onTestFinished(() => transport.close());
    return transport;
  };
  const transport = await connect();
  if (options.init !== false) await transport.init();
  return { server, transport, connect, meter, subjects: createSubjects("murmur") };
}

/** Publishes an empty message with a reply subject of the caller's choice, over a plain connection of the client package. */
export async function publishWithReply(
  options: ConnectionOptions,
  subject: string,
  reply: string,
): Promise<void> {
  const client = await connect(options);
  client.publish(subject, new Uint8Array(), { reply });
  await client.flush();
  await client.close();
}

export const text = (value: string) => new TextEncoder().encode(value);
export const read = (message: { data: Uint8Array }) => new TextDecoder().decode(message.data);
/** The wait for a condition that may need a restart of the server. */
export const SOON = { timeout: 60_000, interval: 10 };
export const TEST_TIMEOUT_MS = 120_000;

/**
 * Kills the server and starts it again. Resolves when `transport` has noticed the loss and is connected again: on a loaded
 * machine the server may restart before the client notices the loss.
 */
export async function bounce(server: NatsServer, transport: Transport): Promise<void> {
  await server.kill();
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  await server.restart();
  await vi.waitFor(() => expect(transport.state).toBe("connected"), SOON);
}
