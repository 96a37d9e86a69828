// A swarm with engines in one process: real engines, workers and clients on a server that is real or in memory, and agents that keep a ledger.
import { createMeter, type Logger, newInstanceId, silentLogger } from "../../src/base/index.ts";
import { createEngine, type Definitions, type Engine, WorkflowClient } from "../../src/engine/index.ts";
import type { MemoryServer, Transport } from "../../src/transport/index.ts";
import { type Attempt, createTaskClient } from "../../src/work/index.ts";
import type { WorkflowDefinition } from "../../src/workflow/index.ts";
import { TestSwarm } from "../work/support.ts";

/** The code of an agent: its output for an input. */
export type Agent = (input: never, attempt: Attempt) => unknown;

/** Definitions by name and version, as the loader makes them. */
export function definitionsOf(...all: WorkflowDefinition[]): Definitions {
  return {
    find: (name, version) =>
      all
        .filter((each) => each.name === name && (version === undefined || each.version === version))
        .sort((a, b) => b.version - a.version)[0],
    list: () => all.map(({ name, version }) => ({ name, versions: [version] })),
  };
}

/** A swarm with engines and agents. */
export class EngineSwarm {
  readonly swarm: TestSwarm;
  /** The effects of the agents by key: the capability, and how often an attempt performed it. */
  readonly ledger = new Map<string, { capability: string; times: number }>();
  /** The keys in the order of their first effects. */
  readonly order: string[] = [];
  readonly #engines: Engine[] = [];

  constructor(server: string | MemoryServer) {
    this.swarm = new TestSwarm(server);
  }

  get prefix(): string {
    return this.swarm.prefix;
  }

  /** Starts an engine. `wrap` changes its transport, for example to cut it off. */
  async engine(
    definitions: Definitions,
    options: { id?: string; wrap?: (transport: Transport) => Transport; log?: Logger } = {},
  ): Promise<Engine> {
    const connected = await this.swarm.connect();
    const transport = options.wrap?.(connected) ?? connected;
    const meter = createMeter();
    const engine = createEngine({
      transport,
      meter,
      log: options.log ?? silentLogger,
      id: options.id ?? newInstanceId("engine"),
      definitions,
      tasks: createTaskClient({ transport, meter }),
    });
    await engine.start();
    this.#engines.push(engine);
    return engine;
  }

  /** Starts a worker with one agent for each capability; each effect enters the ledger under its key. */
  async agents(agents: Readonly<Record<string, Agent>>, slots = 64): Promise<void> {
    await this.swarm.work(
      async (attempt) => {
        const { capability, input } = attempt.task;
        const known = this.ledger.get(attempt.key);
        if (known === undefined) this.order.push(attempt.key);
        this.ledger.set(attempt.key, { capability, times: (known?.times ?? 0) + 1 });
        return agents[capability]?.(input as never, attempt);
      },
      { slots, capabilities: Object.keys(agents).map((name) => ({ name })) },
    );
  }

  async client(): Promise<WorkflowClient> {
    return new WorkflowClient({ transport: await this.swarm.connect(), tasks: await this.swarm.client() });
  }

  /** `<capability> <key>` of each effect, in the order of the first ones. */
  effects(): string[] {
    return this.order.map((key) => `${this.ledger.get(key)?.capability} ${key}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.stop()));
    await this.swarm.stop();
  }
}
