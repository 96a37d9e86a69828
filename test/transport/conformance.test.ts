import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectMemory, connectNats, MemoryServer } from "../../src/transport/index.ts";
import { makeMessage } from "../../src/transport/memory/message.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { describeTransport } from "./conformance.ts";
import { publishWithReply } from "./support.ts";

describeTransport("the in-memory transport", async () => {
  const server = new MemoryServer();
  return {
    connect: async (options) => connectMemory({ ...options, server }),
    publishWithReply: async (subject, reply) => {
      server.publish(makeMessage(subject, new Uint8Array(), undefined, reply));
    },
    stop: async () => undefined,
  };
});

describeTransport("the NATS transport", async () => {
  const server = await startNatsServer();
  return {
    connect: (options) =>
      connectNats({
        ...options,
        servers: server.url,
        name: "conformance",
        log: silentLogger,
        meter: createMeter(),
      }),
    publishWithReply: (subject, reply) => publishWithReply({ servers: server.url }, subject, reply),
    stop: () => server.stop(),
  };
});
