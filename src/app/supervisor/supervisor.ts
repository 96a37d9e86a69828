// A whole swarm on this machine: starts its processes, restarts those that die, kills those that fall silent, and leaves
// nothing behind. Decisions are in decide.ts, what is started in plan.ts, what is left on disk in state.ts.
// I1: a process is in swarm.json before anything is awaited after its start, so that it can be found whatever happens.
// I2: after stop() began, nothing is started.
// I3: every child leads a process group; what a dead child left in its group is killed with it.
// I4: a supervisor that finds its lock taken away stops its swarm: two never run one data directory.
import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Logger, sleep } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Config } from "../config.ts";
import { probeServer } from "../server-probe.ts";
import { endChild, killGroup, startChild } from "./child.ts";
import {
  forgiveStandstill,
  isSilent,
  noteDeath,
  noteHeard,
  noteStarted,
  type Watched,
  watch,
} from "./decide.ts";
import { identify, type ProcessIdentity } from "./identity.ts";
import { openLogFile } from "./log-file.ts";
import { natsConfig, type ProcessPlan, planNats, planProcesses } from "./plan.ts";
import { findFreePorts, isFree } from "./ports.ts";
import { reapSurvivors } from "./reap.ts";
import {
  dataFiles,
  type Lock,
  type ProcessRecord,
  readState,
  removeState,
  type SwarmState,
  takeLock,
  writeState,
} from "./state.ts";
import { WORDS_PER_SILENCE } from "./supervisor-link.ts";

/** How long a whole swarm may take to come up; measured: 1.5 s on two cores with one agent. */
const READY_TIMEOUT_MS = 90_000;
/** What a process has beyond its drain grace before it is killed. */
const STOP_MARGIN_MS = 5_000;
/** nats-server closes its store within this; measured: 50 ms. */
const NATS_STOP_MS = 10_000;
/** How often a starting nats-server is looked at, and how long one look may take. It is up within 20–60 ms. */
const PROBE_INTERVAL_MS = 20;
const PROBE_TIMEOUT_MS = 1_000;
/** The most of a log that goes into an error message. */
const TAIL_LINES = 8;

/** What `up` starts. */
export interface SupervisorOptions {
  config: Config;
  /** The role of each agent process, and how many coordinators (default none). */
  roles: readonly string[];
  coordinators?: number | undefined;
  /** Whether an api process runs too; default true. Without one, the streams must be there. */
  withApi?: boolean | undefined;
  /** The API's port; undefined takes a free one. */
  httpPort?: number | undefined;
  /** Join this server instead of starting one. Its credentials are in `config`. */
  joinServer?: string | undefined;
  environment: Readonly<Record<string, string | undefined>>;
  log: Logger;
  /** Aborts: stop the swarm, or the start of it. */
  signal: AbortSignal;
  /** Told each log line of each process, for whoever watches. */
  onLine?: ((name: string, line: string) => void) | undefined;
  /** Told what is being done while the swarm starts. */
  onStep?: ((step: string) => void) | undefined;
}

interface Child {
  plan: ProcessPlan;
  watched: Watched;
  process: ChildProcess | null;
  identity: ProcessIdentity | null;
  log: { write(text: string): void };
  restart: NodeJS.Timeout | undefined;
  lastExit: string | null;
  /** Why it was killed by us, for the log. */
  killedFor: string | undefined;
  waiting: { resolve(): void; reject(error: Error): void } | undefined;
}

/** A swarm that runs. */
export interface Supervisor {
  readonly state: SwarmState;
  /** Resolves when the swarm has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
  /** Stops everything: agents drain, then the api, then nats-server. `now`: no grace. Safe to repeat. */
  stop(options?: { now?: boolean }): Promise<void>;
}

/** The swarm that runs already in a data directory. */
export class AlreadyRunning extends Error {
  override readonly name = "AlreadyRunning";
  readonly holder: ProcessIdentity;
  constructor(holder: ProcessIdentity) {
    super(`a swarm runs here already (supervisor ${holder.pid})`);
    this.holder = holder;
  }
}

/**
 * Starts a swarm and resolves when all of it is ready.
 * @throws AlreadyRunning; the signal's reason when it aborts before; SwarmError `conflict` (port taken), `unavailable` (a process does not come up; with the end of
 *   its log). Nothing is left running after a failure.
 */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const files = dataFiles(options.config.data);
  const lock = takeLock(options.config.data);
  if ("holder" in lock) throw new AlreadyRunning(lock.holder);
  try {
    const survivors = await reapSurvivors(readState(options.config.data));
    if (survivors > 0) options.log.warn({ survivors }, "ended processes that an earlier supervisor left");
    mkdirSync(files.logs, { recursive: true });
    return await new SwarmSupervisor(options, lock).start();
  } catch (error) {
    lock.release();
    throw error;
  }
}

class SwarmSupervisor implements Supervisor {
  readonly #options: SupervisorOptions;
  readonly #lock: Lock;
  readonly #children = new Map<string, Child>();
  readonly #stopped = Promise.withResolvers<void>();
  #server = "";
  #http = "";
  #ready = false;
  #stopping: Promise<void> | undefined;
  #hurry = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SupervisorOptions, lock: Lock) {
    this.#options = options;
    this.#lock = lock;
  }

  get state(): SwarmState {
    const me = identify(process.pid);
    return {
      version: 1,
      supervisor: { pid: process.pid, started: me?.started ?? "" },
      ready: this.#ready,
      prefix: this.#options.config.prefix,
      server: this.#server,
      http: this.#http,
      processes: [...this.#children.values()].flatMap(toRecord),
    };
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  async start(): Promise<Supervisor> {
    const { config, roles, coordinators = 0, httpPort, joinServer, signal, onStep } = this.#options;
    try {
      if (httpPort !== undefined && httpPort !== 0 && !(await isFree(httpPort, config.httpHost))) {
        throw new SwarmError(
          "conflict",
          `port ${httpPort} of ${config.httpHost} is taken: choose another with --http, or leave --http out for a free one`,
          { field: "http" },
        );
      }
      const [natsPort, freeHttpPort, ...metricsPorts] = await findFreePorts(3 + coordinators + roles.length);
      const apiPort = httpPort === undefined || httpPort === 0 ? freeHttpPort! : httpPort;
      this.#server = joinServer ?? `nats://127.0.0.1:${natsPort}`;
      const host = config.httpHost.includes(":") ? `[${config.httpHost}]` : config.httpHost;
      this.#http = `http://${host}:${apiPort}`;
      const plans = planProcesses({
        ...this.#options,
        coordinators,
        server: this.#server,
        ownServer: joinServer === undefined,
        httpPort: this.#options.withApi === false ? undefined : apiPort,
        metricsPorts,
      });
      if (joinServer === undefined) plans.unshift(this.#writeNatsPlan(natsPort!));
      signal.throwIfAborted();
      onStep?.(`starting ${plans.map((plan) => plan.name).join(", ")}`);
      this.#watchSilence();
      await this.#startAll(plans);
      this.#ready = true;
      this.#save();
      signal.throwIfAborted();
      signal.addEventListener("abort", () => void this.stop().catch(() => undefined), { once: true });
      return this;
    } catch (error) {
      await this.stop({ now: true });
      throw error;
    }
  }

  stop(options: { now?: boolean } = {}): Promise<void> {
    if (options.now === true) {
      this.#hurry = true;
      for (const child of this.#children.values()) killGroup(child.process?.pid);
    }
    this.#stopping ??= this.#stop().then(
      () => this.#stopped.resolve(),
      (error) => {
        this.#stopped.reject(error);
        throw error;
      },
    );
    return this.#stopping;
  }

  #writeNatsPlan(port: number): ProcessPlan {
    const { config } = this.#options;
    const files = dataFiles(config.data);
    const logFile = join(files.logs, "nats-1.log");
    writeFileSync(files.natsConfig, natsConfig({ port, storeDir: files.nats, logFile, sync: config.sync }));
    return planNats({ config, configFile: files.natsConfig });
  }

  async #startAll(plans: readonly ProcessPlan[]): Promise<void> {
    const ready = plans.map((plan) => {
      const child = this.#add(plan);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      child.waiting = { resolve, reject };
      promise.catch(() => undefined);
      this.#spawn(child);
      return promise;
    });
    const { signal } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    let onAbort: () => void = () => undefined;
    const late = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      timer = setTimeout(() => {
        const missing = [...this.#children.values()].filter((child) => child.watched.status !== "running");
        const names = missing.map((child) => child.plan.name).join(", ");
        reject(
          new SwarmError(
            "unavailable",
            `not ready within ${READY_TIMEOUT_MS / 1_000} s: ${names}\n${missing.map((child) => this.#tail(child)).join("\n")}`,
          ),
        );
      }, READY_TIMEOUT_MS);
    });
    try {
      await Promise.race([Promise.all(ready), late]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  #add(plan: ProcessPlan): Child {
    const child: Child = {
      plan,
      watched: watch(plan.name, plan.metrics !== null, Date.now()),
      process: null,
      identity: null,
      log: openLogFile(this.#logFile(plan)),
      restart: undefined,
      lastExit: null,
      killedFor: undefined,
      waiting: undefined,
    };
    this.#children.set(plan.name, child);
    return child;
  }

  #spawn(child: Child): void {
    if (this.#stopping !== undefined) return; // I2
    const { plan, watched } = child;
    const { speaks } = watched;
    const started = startChild(
      plan,
      { speaks },
      {
        onLine: (line) => {
          child.log.write(`${line}\n`);
          this.#options.onLine?.(plan.name, line);
        },
        onMessage: (message) => this.#hear(child, message.type === "ready"),
        onDeath: (how) => this.#onDeath(child, started, how),
      },
    );
    child.process = started;
    child.killedFor = undefined;
    child.watched = noteStarted(watched, Date.now());
    child.identity = started.pid === undefined ? null : identify(started.pid);
    this.#save(); // I1
    if (!speaks) void this.#probeServer(child, started);
  }

  #hear(child: Child, ready: boolean): void {
    child.watched = noteHeard(child.watched, Date.now(), ready);
    if (!ready) return;
    child.waiting?.resolve();
    child.waiting = undefined;
    this.#options.log.info({ process: child.plan.name, pid: child.process?.pid }, "process is ready");
    this.#save();
  }

  /** nats-server says nothing by itself: it is ready when its port answers. */
  async #probeServer(child: Child, started: ChildProcess): Promise<void> {
    while (child.process === started && this.#stopping === undefined) {
      const info = await probeServer(this.#server, PROBE_TIMEOUT_MS).catch(() => null);
      if (info !== null) {
        if (child.process === started) this.#hear(child, true);
        return;
      }
      await sleep(PROBE_INTERVAL_MS);
    }
  }

  #onDeath(child: Child, died: ChildProcess, how: string): void {
    if (child.process !== died) return;
    const { log } = this.#options;
    const name = child.plan.name;
    child.process = null;
    child.identity = null;
    child.lastExit = child.killedFor === undefined ? how : `${how} (${child.killedFor})`;
    if (this.#stopping !== undefined) return;
    // What cannot even start the first time will not start the second time either: a missing binary, a bad setting.
    if (
      child.waiting !== undefined &&
      (died.pid === undefined || died.exitCode === 2 || child.plan.metrics === null)
    ) {
      child.waiting.reject(
        new SwarmError("unavailable", `${name} did not start (${child.lastExit})\n${this.#tail(child)}`),
      );
      return;
    }
    const { watched, restartInMs } = noteDeath(child.watched, Date.now());
    child.watched = watched;
    if (restartInMs === null) {
      log.error(
        { alert: "process_failed", process: name, lastExit: child.lastExit, restarts: watched.restarts },
        "a process died too often and is given up; see its log, then murmur down and up",
      );
      child.waiting?.reject(
        new SwarmError(
          "unavailable",
          `${name} dies at every start (${child.lastExit})\n${this.#tail(child)}`,
        ),
      );
    } else {
      log.warn({ process: name, exit: child.lastExit, restartInMs }, "a process died; restarting it");
      child.restart = setTimeout(() => this.#spawn(child), restartInMs);
    }
    this.#save();
  }

  #watchSilence(): void {
    const everyMs = this.#options.config.silenceMs / WORDS_PER_SILENCE / 2;
    let lastMs = Date.now();
    this.#timer = setInterval(() => {
      const nowMs = Date.now();
      const children = [...this.#children.values()];
      const forgiven = forgiveStandstill(
        children.map((child) => child.watched),
        { lastMs, nowMs, everyMs },
      );
      lastMs = nowMs;
      for (const [index, child] of children.entries()) {
        child.watched = forgiven[index]!;
        if (child.process === null || !isSilent(child.watched, nowMs, this.#options.config.silenceMs))
          continue;
        child.killedFor = `silent for ${nowMs - child.watched.heardAtMs} ms`;
        this.#options.log.warn({ process: child.plan.name, pid: child.process.pid }, child.killedFor);
        killGroup(child.process.pid);
      }
      if (!this.#lock.isHeld() && this.#stopping === undefined) {
        this.#options.log.error("the lock of the data directory was taken away; stopping"); // I4
        void this.stop().catch(() => undefined);
      }
    }, everyMs);
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    const { config, log } = this.#options;
    log.info("stopping the swarm");
    const children = [...this.#children.values()];
    for (const child of children) clearTimeout(child.restart);
    const speaking = children.filter((child) => child.watched.speaks);
    const silent = children.filter((child) => !child.watched.speaks);
    // Whoever works goes first: draining needs the server.
    await Promise.all(speaking.map((child) => this.#end(child, config.drainGraceMs + STOP_MARGIN_MS)));
    await Promise.all(silent.map((child) => this.#end(child, NATS_STOP_MS)));
    removeState(config.data);
    this.#lock.release();
    log.info("the swarm has stopped");
  }

  async #end(child: Child, graceMs: number): Promise<void> {
    if (child.process === null) return;
    await endChild(child.process, {
      graceMs: this.#hurry ? 0 : graceMs,
      onOverdue: () =>
        this.#options.log.warn({ process: child.plan.name, graceMs }, "does not stop; killing it"),
    });
  }

  #logFile(plan: ProcessPlan): string {
    const { logs } = dataFiles(this.#options.config.data);
    // nats-server writes its own log; what it says before it can is kept beside it.
    return join(logs, plan.metrics === null ? `${plan.name}.out.log` : `${plan.name}.log`);
  }

  #tail(child: Child): string {
    const files = [
      this.#logFile(child.plan),
      join(dataFiles(this.#options.config.data).logs, `${child.plan.name}.log`),
    ];
    const lines = [...new Set(files)].flatMap((file) => {
      try {
        return readFileSync(file, "utf8").trimEnd().split("\n").slice(-TAIL_LINES);
      } catch {
        return [];
      }
    });
    return lines.map((line) => `  ${line.slice(0, 500)}`).join("\n");
  }

  #save(): void {
    if (this.#stopping === undefined) writeState(this.#options.config.data, this.state);
  }
}

function toRecord(child: Child): ProcessRecord[] {
  const { plan, identity, watched, lastExit } = child;
  // A process between death and restart has no pid; one that failed is kept for `doctor`.
  if (identity === null && watched.status === "starting") return [];
  return [
    {
      role: plan.role,
      name: plan.name,
      pid: identity?.pid ?? 0,
      started: identity?.started ?? "",
      metrics: plan.metrics,
      status: watched.status,
      restarts: watched.restarts,
      lastExit,
    },
  ];
}
