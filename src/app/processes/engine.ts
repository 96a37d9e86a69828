// The process of one engine: it runs the workflows of its lanes.
import { createEngine } from "../../engine/index.ts";
import { createTaskClient } from "../../work/index.ts";
import type { Ports } from "../cli/command.ts";
import { SetupError } from "../setup-error.ts";
import { resolveFrom } from "../target.ts";
import { resolveOwnName } from "./agents.ts";
import { loadDefinitions } from "./definitions.ts";
import { createProcessAudit, endWith, runProcess } from "./frame.ts";
import type { ProbePort } from "./probe-port.ts";
import { awaitEngineStreams } from "./streams.ts";

/** The facts for `onReady`. */
export interface EngineReady {
  /** The base URL of the probes. */
  readonly probesUrl: string;
  readonly workflows: readonly { readonly name: string; readonly versions: readonly number[] }[];
}

/**
 * Runs one engine until the session's signal aborts; then it gives its lanes to the others. `port`: its probes, which listen already.
 * @throws SetupError for definitions that do not load; SwarmError `unavailable`, `not_permitted` when NATS refuses.
 */
export async function runEngine(
  ports: Ports,
  { port }: { port: ProbePort },
  onReady: (facts: EngineReady) => void,
): Promise<void> {
  await runProcess(ports, {
    port,
    name: "murmur-engine",
    role: "engine",
    loading: "loading the workflows",
    async load() {
      resolveOwnName();
      const directory = resolveFrom(ports.directory, ports.config.workflowsDir);
      const definitions = await loadDefinitions(directory).catch((error: unknown) => {
        throw SetupError.from(error);
      });
      return {
        description: "Murmur engine: runs workflows",
        preparation: awaitEngineStreams,
        assemble(parts) {
          const { transport, meter, log, processId, tracer } = parts;
          const writer = createProcessAudit(parts, "engine");
          meter.startAtZero({ outcome: ["stored", "empty", "lost", "blocked", "completed", "failed"] });
          const tasks = createTaskClient({ transport, meter, log });
          const engine = createEngine({ transport, meter, log, tracer, id: processId, definitions, tasks });
          return {
            services: {
              records: [...writer.services, endWith("task client", () => tasks.close())],
              listeners: [],
              core: [],
              doors: [engine],
            },
            checks: [],
            onReady: (probesUrl) => onReady({ probesUrl, workflows: definitions.list() }),
            drain: async () => undefined, // The stop gives back what no decision has taken.
          };
        },
      };
    },
  });
}
