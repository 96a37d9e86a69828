// A swarm for the examples: a real nats-server and one process (this one) with the echo agent that ships.
import echo from "../../agents/echo/agent.ts";
import { createHost } from "../../src/agent/index.ts";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { createWorker } from "../../src/work/index.ts";
import { startNatsServer } from "../support/nats-server.ts";

export interface EchoSwarm {
  url: string;
  stop(): Promise<void>;
}

export async function startEchoSwarm(): Promise<EchoSwarm> {
  const server = await startNatsServer();
  const meter = createMeter();
  const transport = await connectNats({
    servers: server.url,
    name: "examples",
    prefix: "murmur",
    log: silentLogger,
    meter,
  });
  await transport.init();
  const shared = { transport, meter, log: silentLogger, hostId: "examples" };
  const host = createHost({ ...shared, role: "echo", version: "0", roles: [{ definition: echo }] });
  await host.service.start();
  const worker = createWorker({
    ...shared,
    workforce: host.workforce,
    capabilities: [{ name: "echo" }],
  });
  await worker.start();
  return {
    url: server.url,
    async stop() {
      await worker.stop();
      await host.service.stop();
      await transport.close();
      await server.stop();
    },
  };
}
