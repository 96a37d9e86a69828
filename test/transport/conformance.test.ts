import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectMemory, connectNats, MemoryServer } from "../../src/transport/index.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { describeTransport } from "./conformance.ts";

describeTransport("the in-memory transport", async () => {
  const server = new MemoryServer();
  return { connect: async (options) => connectMemory({ ...options, server }), stop: async () => undefined };
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
    stop: () => server.stop(),
  };
});
