// A small swarm in one process for tests of the work room: scripted agents, real workers and clients.
import {
  type Clock,
  createMeter,
  type Logger,
  type Meter,
  newInstanceId,
  silentLogger,
} from "../../src/base/index.ts";
import type { StreamLimits, TaskState, TaskStatus } from "../../src/protocol/index.ts";
import { connectMemory, connectNats, MemoryServer, type Transport } from "../../src/transport/index.ts";
import {
  type Attempt,
  createMover,
  createTaskClient,
  createWorker,
  type OfferedCapability,
  type Slot,
  type SlotRefusal,
  type TaskClient,
  type Worker,
  type Workforce,
} from "../../src/work/index.ts";
import { makePlacedConsumer } from "./office.ts";

/** The code of a scripted agent: performs one attempt. */
export type Script = (attempt: Attempt) => Promise<unknown>;

/** A workforce with a fixed number of slots, all running one script. */
export class ScriptedWorkforce implements Workforce {
  used = 0;
  maxUsed = 0;
  paused = false;
  leaving = false;
  unable = false;
  #onFree: ((capability: string) => void)[] = [];
  readonly slots: number;
  readonly script: Script;
  readonly agentId = newInstanceId("agent");

  constructor(slots: number, script: Script) {
    this.slots = slots;
    this.script = script;
  }

  free(): number {
    return this.slots - this.used;
  }

  freeTotal(): number {
    return this.slots - this.used;
  }

  onFree(onFree: (capability: string) => void): void {
    this.#onFree.push(onFree);
  }

  resume(): void {
    this.paused = false;
    for (const onFree of this.#onFree) onFree("echo");
  }

  takeAgent(agentId: string): Slot | SlotRefusal {
    if (agentId !== this.agentId || this.leaving) return "gone";
    if (this.unable) return "unable";
    return this.paused ? "busy" : (this.take() ?? "busy");
  }

  take(): Slot | null {
    if (this.used >= this.slots) return null;
    this.used++;
    this.maxUsed = Math.max(this.maxUsed, this.used);
    let released = false;
    return {
      agentId: this.agentId,
      perform: (attempt) => this.script(attempt),
      release: () => {
        if (!released) this.used--;
        released = true;
      },
    };
  }
}

let swarms = 0;

/** A swarm under a prefix of its own on a running server, real or in memory. */
export class TestSwarm {
  readonly prefix: string;
  readonly meter: Meter = createMeter();
  readonly #server: string | MemoryServer;
  readonly #limits: StreamLimits;
  readonly #transports: Transport[] = [];
  readonly #services: { stop(): Promise<void> }[] = [];
  #client: TaskClient | undefined;

  constructor(server: string | MemoryServer, limits: StreamLimits = {}) {
    this.#server = server;
    this.#limits = limits;
    this.prefix = `t${process.pid}-${++swarms}`;
  }

  async connect(): Promise<Transport> {
    const transport =
      this.#server instanceof MemoryServer
        ? connectMemory({ prefix: this.prefix, server: this.#server, limits: this.#limits })
        : await connectNats({
            servers: this.#server,
            name: "test",
            prefix: this.prefix,
            log: silentLogger,
            meter: this.meter,
            limits: { taskBytes: 64 * 1024 * 1024, ...this.#limits },
          });
    if (this.#transports.length === 0) await transport.init();
    this.#transports.push(transport);
    return transport;
  }

  async client(): Promise<TaskClient> {
    this.#client ??= createTaskClient({ transport: await this.connect(), meter: this.meter });
    return this.#client;
  }

  /** Starts a worker with scripted agents, like one process. */
  async work(
    script: Script,
    options: {
      slots?: number;
      capabilities?: OfferedCapability[];
      createsConsumers?: boolean;
      log?: Logger;
      clock?: Clock;
    } = {},
  ): Promise<{ worker: Worker; workforce: ScriptedWorkforce; transport: Transport; hostId: string }> {
    const transport = await this.connect();
    const workforce = new ScriptedWorkforce(options.slots ?? 8, script);
    const hostId = newInstanceId("host");
    await makePlacedConsumer(transport, hostId);
    const worker = createWorker({
      transport,
      meter: this.meter,
      log: options.log ?? silentLogger,
      hostId,
      workforce,
      capabilities: options.capabilities ?? [{ name: "echo" }],
      createsConsumers: options.createsConsumers,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
    await worker.start();
    this.#services.push(worker);
    return { worker, workforce, transport, hostId };
  }

  /** Lasts three round trips to the server: long enough for a start that should not happen to reach its agent. */
  async roundTrips(): Promise<void> {
    for (let trip = 0; trip < 3; trip++) await this.#transports[0]?.bus.flush();
  }

  /** Starts a mover. */
  async move(): Promise<void> {
    const mover = createMover({ transport: await this.connect(), meter: this.meter, log: silentLogger });
    await mover.start();
    this.#services.push(mover);
  }

  async stop(): Promise<void> {
    this.#client?.close();
    for (const service of this.#services.reverse()) await service.stop();
    for (const transport of this.#transports) await transport.close();
  }
}

/** Polls until `look` returns something other than undefined; for states that no signal announces. */
export async function until<T>(
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 60_000,
): Promise<T> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > endMs) throw new Error(`not seen within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until a task is in one of the states. */
export function untilState(client: TaskClient, taskId: string, ...states: TaskState[]): Promise<TaskStatus> {
  return until(async () => {
    const status = await client.status(taskId).catch(() => undefined);
    return status !== undefined && states.includes(status.state) ? status : undefined;
  });
}

/** A promise with its resolve function. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  return Promise.withResolvers<T>();
}
