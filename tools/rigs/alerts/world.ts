// A swarm whose faults are made by hand: one nats-server, and processes without a supervisor, so that a dead one stays dead until the rig
// starts it. Owns their start, their ports and their end, and tells Prometheus which of them to scrape.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMeter, silentLogger, sleep } from "../../../src/base/index.ts";
import { createOfficeClient, foundOffice, type OfficeClient } from "../../../src/coordinator/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { type NatsServer, startNatsServer } from "../../../test/support/nats-server.ts";
import { createMurmurProcess, type MurmurProcess } from "../../../test/support/office/process.ts";
import { PROGRAM, programEnvironment } from "../../../test/support/program.ts";
import { freePort, Monitor, type MonitorOptions } from "./monitor.ts";

/** The longest wait for a condition that must come, in ms. */
const PATIENCE_MS = 60_000;
const POLL_MS = 200;
/** As long as the shortest wait of a rule, and some evaluations: an alert may be pending when the last one ends. */
const QUIET_FOR_MS = 6_000;
/** The longest time of a request to the HTTP API, and of a command: an api process without NATS answers within 1 s. */
const REQUEST_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = 60_000;
/** The slots of the agent echo: few, so that they are soon in use. */
const SLOTS = 4;

/** A role of its own for the faults that no delivered agent has: it crashes as an agent, waits for a model, or works in a ballot. */
const ODD_AGENT = `import assert from "node:assert";
import { defineAgent, RetryableError } from "murmur-swarm";
import { z } from "zod";
export default defineAgent({
  name: "odd",
  capabilities: ["odd"],
  slots: 1,
  input: z.strictObject({ how: z.string(), ms: z.number().optional() }),
  async run({ input }, ctx) {
    if (input.how === "crash") assert.fail("the rig asked for it");
    if (input.how === "model") await ctx.waitFor("model", new Promise((resolve) => setTimeout(resolve, input.ms)));
    if (input.how === "hang") await new Promise(() => undefined);
    if (input.how === "flaky" && ctx.attempt === 1) throw new RetryableError("the rig asked for one retry");
    if (input.how === "once") await ctx.step("pay", { once: true }, () => new Promise(() => undefined));
    if (input.how === "step") await ctx.step("once", async () => 1);
    return input.how;
  },
});
`;

/** Workflows for the faults: each comes to its end, or stands where the name says. */
const WORKFLOWS = `import { approval, defineWorkflow, sleep, step } from "murmur-swarm";
const undo = (how) => ({ undo: { call: "odd", with: { how } } });
const refuse = () => step("pay", "echo", { $fail: "terminal" }, { retry: { max: 0 } });
export const sound = defineWorkflow({ name: "sound", version: 1, *run() { return yield* step("book", "echo", { text: "hello" }); } });
export const undone = defineWorkflow({
  name: "undone",
  version: 1,
  *run() {
    yield* step("book", "echo", {}, { undo: { call: "echo", with: {} } });
    yield* refuse();
  },
});
export const half = defineWorkflow({
  name: "half",
  version: 1,
  *run() {
    yield* step("book", "echo", {}, undo("no"));
    yield* refuse();
  },
});
export const twice = defineWorkflow({
  name: "twice",
  version: 1,
  *run() {
    yield* step("book", "echo", {});
    yield* step("book", "echo", {});
  },
});
export const asked = defineWorkflow({
  name: "asked",
  version: 1,
  *run() {
    return yield* approval("go", { by: ["ops"] });
  },
});
export const slow = defineWorkflow({
  name: "slow",
  version: 1,
  *run() {
    yield* sleep("nap", 2_000);
    return yield* step("book", "echo", {});
  },
});
`;

interface Member {
  readonly process: MurmurProcess;
  readonly target: string;
}

/** One problem of `GET /v1/problems`, as far as a drill reads it. */
export interface ShownProblem {
  readonly name: string;
  readonly cause: string;
  readonly since: string | null;
  readonly runbook: string;
  readonly commands: readonly string[];
}

/** The swarm of a drill. */
export class World {
  readonly monitor: Monitor;
  readonly nats: NatsServer;
  readonly #folder = mkdtempSync(join(tmpdir(), "murmur-drill-"));
  readonly #members = new Map<string, Member>();
  readonly #coordinators: readonly string[];
  #transport: Transport | undefined;
  #http = 0;
  #foreign: string[] = [];

  private constructor(parts: { monitor: Monitor; nats: NatsServer; coordinators: number }) {
    this.monitor = parts.monitor;
    this.nats = parts.nats;
    this.#coordinators = Array.from({ length: parts.coordinators }, (_, at) => `c${at + 1}`);
  }

  /**
   * Starts coordinators, one api process, the agent echo and an engine; resolves when a task has ended and every process is scraped.
   * Without `engine` there is no engine.
   */
  static async start(
    options: MonitorOptions & {
      coordinators: number;
      engine?: boolean;
      /** The lines of nats-server's configuration beside the usual ones. */
      config?: string;
    },
  ): Promise<World> {
    const [monitor, nats] = await Promise.all([
      Monitor.start(options),
      startNatsServer(options.config === undefined ? {} : { config: options.config }),
    ]);
    const world = new World({ monitor, nats, coordinators: options.coordinators });
    try {
      await world.#begin(options.engine === true);
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  async #begin(hasEngine: boolean): Promise<void> {
    mkdirSync(join(this.#folder, "agents/odd"), { recursive: true });
    writeFileSync(join(this.#folder, "agents/odd/agent.ts"), ODD_AGENT);
    mkdirSync(join(this.#folder, "workflows"));
    writeFileSync(join(this.#folder, "workflows/drill.ts"), WORKFLOWS);
    const transport = await this.transport();
    await transport.init();
    await foundOffice(transport);
    await this.startCoordinators();
    this.#http = await freePort();
    await this.start("api", ["api"], { MURMUR_HTTP_PORT: String(this.#http) });
    await this.start("echo", ["agent", "run", "echo"], { MURMUR_ECHO_SLOTS: String(SLOTS) });
    if (hasEngine) await this.startEngine();
    await this.until("the first task ends", async () => (await this.submit({}, "wait=5000")).status === 200);
    await this.untilScraped();
  }

  /** The connection of the rig. */
  async transport(): Promise<Transport> {
    this.#transport ??= await connectNats({
      servers: this.nats.url,
      prefix: "murmur",
      log: silentLogger,
      meter: createMeter(),
      name: "drill",
    });
    return this.#transport;
  }

  async office(): Promise<OfficeClient> {
    return createOfficeClient({ transport: await this.transport() });
  }

  /** Starts `murmur args` as a process that Prometheus scrapes under the name `id`; starts it again when it was started before. */
  async start(
    id: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<MurmurProcess> {
    let member = this.#members.get(id);
    if (member === undefined) {
      const port = await freePort();
      const process = createMurmurProcess({
        id,
        args,
        logFile: join(this.#folder, `${id}.log`),
        environment: {
          MURMUR_SERVER: this.nats.url,
          MURMUR_METRICS_PORT: String(port),
          MURMUR_CREATE_CONSUMERS: "true",
          MURMUR_DATA: join(this.#folder, "data"),
          ...environment,
        },
      });
      member = { process, target: `127.0.0.1:${port}` };
      this.#members.set(id, member);
    }
    member.process.start();
    this.#tellTargets();
    return member.process;
  }

  /** Starts the agent of the rig; resolves when it has ended a task. */
  async startOdd(): Promise<void> {
    await this.start("odd", ["agent", "run", "odd"], { MURMUR_AGENTS_DIR: join(this.#folder, "agents") });
    const task = { capability: "odd", input: { how: "ready" } };
    await this.until(
      "the agent odd ends a task",
      async () => (await this.submit(task, "wait=5000")).status === 200,
    );
  }

  async startEngine(): Promise<void> {
    await this.start("engine", ["engine"], { MURMUR_WORKFLOWS_DIR: join(this.#folder, "workflows") });
    await this.until("an engine answers", async () => (await this.run("sound")) !== null);
  }

  /** Starts a run of a workflow of the rig, or waits for its end; resolves to its id, or null when no engine answers. */
  async run(workflow: string, query = ""): Promise<string | null> {
    const answer = await this.#ask(`/v1/workflows?${query}`, "POST", { workflow }).catch(() => undefined);
    if (answer === undefined || answer.status >= 500) return null;
    const body = (await answer.json().catch(() => ({}))) as { id?: string; taskId?: string };
    return body.id ?? body.taskId ?? null;
  }

  async startCoordinators(): Promise<void> {
    for (const id of this.#coordinators)
      await this.start(id, ["coordinator"], {
        MURMUR_COORDINATOR_ID: id,
        MURMUR_COORDINATORS: this.#coordinators.join(","),
      });
    await (await this.office()).tenure({ timeoutMs: PATIENCE_MS });
  }

  get coordinators(): MurmurProcess[] {
    return this.#coordinators.map((id) => this.process(id));
  }

  /** The process of a name. @throws Error for a name that was never started. */
  process(id: string): MurmurProcess {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`no process ${id} was started`);
    return member.process;
  }

  /** Resolves when every process is scraped. */
  untilScraped(): Promise<void> {
    return this.until("every process is scraped", async () => {
      const up = await this.monitor.query("up == 1");
      return up.length === this.#members.size + this.#foreign.length;
    });
  }

  /** A port that Prometheus scrapes from now on, for a process that the rig plays. */
  async addForeign(): Promise<number> {
    const port = await freePort();
    this.#foreign = [`127.0.0.1:${port}`];
    this.#tellTargets();
    return port;
  }

  removeForeign(): void {
    this.#foreign = [];
    this.#tellTargets();
  }

  /** Ends a process, and scrapes it no longer, as a cluster forgets a pod. */
  async forget(id: string): Promise<void> {
    const { process } = this.#members.get(id) ?? {};
    this.#members.delete(id);
    this.#tellTargets();
    await process?.kill();
  }

  #tellTargets(): void {
    this.monitor.setTargets([...[...this.#members.values()].map(({ target }) => target), ...this.#foreign]);
  }

  /** Submits a task of echo, or of another capability. `query`: of the URL. */
  async submit(
    task: { capability?: string; input?: unknown; [field: string]: unknown },
    query = "",
  ): Promise<{ status: number; body: { taskId?: string } }> {
    const answer = await fetch(`http://127.0.0.1:${this.#http}/v1/tasks?${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ capability: "echo", input: {}, ...task }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    }).catch(() => undefined);
    return {
      status: answer?.status ?? 0,
      body: ((await answer?.json().catch(() => ({}))) ?? {}) as { taskId?: string },
    };
  }

  /** Runs `murmur args` to its end, as an operator does. @throws Error with its output when it fails. */
  async command(...args: string[]): Promise<string> {
    const child = spawn(process.execPath, [...PROGRAM, ...args], {
      cwd: this.#folder,
      env: { ...programEnvironment(), MURMUR_SERVER: this.nats.url },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const note = (piece: Buffer) => {
      output += piece.toString();
    };
    child.stdout.on("data", note);
    child.stderr.on("data", note);
    const late = setTimeout(() => child.kill("SIGKILL"), COMMAND_TIMEOUT_MS);
    const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
    clearTimeout(late);
    if (code !== 0) throw new Error(`murmur ${args.join(" ")} ended with ${code}: ${output.slice(-1_000)}`);
    return output;
  }

  /** Cancels a task. */
  async cancel(id: string): Promise<void> {
    const { status } = await this.#ask(`/v1/tasks/${id}`, "DELETE");
    if (status >= 400 && status !== 409) throw new Error(`task ${id} was not cancelled: HTTP ${status}`); // 409: it has ended
  }

  async cancelRun(id: string): Promise<void> {
    const status = await this.post(`/v1/workflows/${id}/cancel`);
    if (status >= 400 && status !== 409) throw new Error(`run ${id} was not cancelled: HTTP ${status}`);
  }

  /** A request to the HTTP API. */
  async post(path: string, body?: object): Promise<number> {
    return (await this.#ask(path, "POST", body)).status;
  }

  /** Reads the events of a task for a while. */
  async follow(id: string, ms: number): Promise<void> {
    const url = `http://127.0.0.1:${this.#http}/v1/tasks/${id}/events`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(ms) }).catch(() => undefined);
    await answer?.text().catch(() => ""); // until the time is over
  }

  /** The problems that the HTTP API tells. */
  async problems(): Promise<readonly ShownProblem[]> {
    const answer = await this.#ask("/v1/problems", "GET");
    return ((await answer.json()) as { problems: ShownProblem[] }).problems;
  }

  #ask(path: string, method: string, body?: object): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#http}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  }

  /** Waits until `is` holds. @throws Error that names `what`. */
  async until(what: string, is: () => Promise<boolean>, withinMs = PATIENCE_MS): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (performance.now() < endMs) {
      if (await is()) return;
      await sleep(POLL_MS);
    }
    throw new Error(`not within ${withinMs} ms: ${what}`);
  }

  /** Waits until no alert but the watchdog has fired for {@link QUIET_FOR_MS}. */
  async untilQuiet(withinMs: number): Promise<void> {
    let last: string[] = [];
    let quietSinceMs: number | null = null;
    const isQuiet = async () => {
      last = await this.monitor.firing();
      quietSinceMs = last.length === 0 ? (quietSinceMs ?? performance.now()) : null;
      return quietSinceMs !== null && performance.now() - quietSinceMs >= QUIET_FOR_MS;
    };
    await this.until("no alert fires", isQuiet, withinMs).catch(() => {
      throw new Error(`not within ${withinMs} ms: no alert fires; firing: ${last.join(", ")}`);
    });
  }

  /** Starts the server when it does not run. */
  async startNats(): Promise<void> {
    const isUp = () => {
      try {
        return process.kill(this.nats.pid, 0);
      } catch {
        return false;
      }
    };
    if (!isUp()) await this.nats.restart();
  }

  /** Lets a server that a fault has paused go on. Safe to repeat. */
  wakeNats(): void {
    try {
      process.kill(this.nats.pid, "SIGCONT");
    } catch {
      // It does not run.
    }
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    this.wakeNats(); // A paused process takes no SIGTERM.
    await this.monitor.stop();
    await Promise.all([...this.#members.values()].map(({ process }) => process.kill()));
    await this.#transport?.close();
    await this.nats.stop();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
