// One nats-server, agents in this process, and engines as processes that can be killed.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { WorkflowClient } from "../../../src/engine/index.ts";
import { EngineSwarm } from "../../../test/engine/support.ts";
import { type NatsServer, startNatsServer } from "../../../test/support/nats-server.ts";

/** The memory and CPU time of an engine. */
export interface Usage {
  /** After a collection of the garbage. */
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** The largest resident size since the last look. */
  readonly peakBytes: number;
  readonly cpuMs: number;
}

/** An engine as a process. */
export interface EngineProcess {
  readonly id: string;
  usage(): Promise<Usage>;
  /** Ends the process; resolves when it is gone. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** A swarm to measure. */
export interface WorkflowWorld {
  readonly server: NatsServer;
  readonly swarm: EngineSwarm;
  readonly client: WorkflowClient;
  engine(id: string): Promise<EngineProcess>;
  stop(): Promise<void>;
}

/** Starts a swarm with agents that answer at once. */
export async function startWorkflowWorld(
  options: Parameters<typeof startNatsServer>[0] = {},
): Promise<WorkflowWorld> {
  const server = await startNatsServer(options);
  const swarm = new EngineSwarm(server.url);
  const client = await swarm.client();
  const text = "x".repeat(1_022); // 1 KiB of JSON
  await swarm.agents({ echo: (input: unknown) => input, kibibyte: () => text }, 256);
  const processes = new Set<ChildProcess>();
  return {
    server,
    swarm,
    client,
    async engine(id) {
      const child = fork(
        join(import.meta.dirname, "..", "workflow-engine.ts"),
        [server.url, swarm.prefix, id],
        {
          execArgv: ["--expose-gc"],
        },
      );
      processes.add(child);
      await once(child, "message");
      return {
        id,
        async usage() {
          child.send("usage");
          const [usage] = (await once(child, "message")) as [Usage];
          return usage;
        },
        async end(signal) {
          const gone = once(child, "exit");
          child.kill(signal);
          await gone;
          processes.delete(child);
        },
      };
    },
    async stop() {
      for (const child of processes) child.kill("SIGKILL");
      await swarm.stop();
      await server.stop();
    },
  };
}
