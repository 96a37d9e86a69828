// Runs a whole swarm on this machine: starts its processes, restarts a process that dies, kills a process that falls silent,
// and leaves no process behind. The decisions are in decide.ts, the list of processes in plan.ts, the files on disk in state.ts.
// I1: swarm.json names a new process before the supervisor awaits anything else, so that the process can always be found.
// I2: the supervisor starts no process after stop() began.
// I3: every child leads a process group; when the child dies, the supervisor kills the rest of its group.
// I4: a supervisor that no longer holds its lock stops its swarm, so that two supervisors never run one data directory.
import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Logger, sleep } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Config } from "../config.ts";
import { endChild, killGroup, startChild } from "./child.ts";
import {
  forgiveStandstill,
  isHopeless,
  isSilent,
  noteDeath,
  noteHeard,
  noteStarted,
  type Watched,
  watch,
} from "./decide.ts";
import { identify, type ProcessIdentity } from "./identity.ts";
import { LastLines } from "./last-lines.ts";
import { openLogFile, sizeOf, tailFrom } from "./log-file.ts";
import { natsConfig, type ProcessPlan, planNats, planProcesses } from "./plan.ts";
import { findFreePorts, isFree } from "./ports.ts";
import { reapSurvivors } from "./reap.ts";
import { probeServer } from "./server-probe.ts";
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
import { MESSAGES_PER_SILENCE } from "./supervisor-link.ts";

/** The limit for a whole swarm to become ready; measured: 1.5 s on two cores with one agent. */
const READY_TIMEOUT_MS = 90_000;
/** The time beyond its drain grace that a process has before the supervisor kills it. It ends by itself within 1.75 s. */
const STOP_MARGIN_MS = 3_000;
/** The time that nats-server has to close its store; measured: 50 ms. */
const NATS_STOP_MS = 10_000;
/** The interval between probes of a starting nats-server, and the timeout of one probe. The server is up within 20–60 ms. */
const PROBE_INTERVAL_MS = 20;
const PROBE_TIMEOUT_MS = 1_000;

/** The swarm that `up` starts. */
export interface SupervisorOptions {
  config: Config;
  /** The role of each agent process. */
  roles: readonly string[];
  /** The number of coordinators; default none. */
  coordinators?: number | undefined;
  /** Whether an api process runs too; default true. Without an api process, the streams must exist already. */
  withApi?: boolean | undefined;
  /** The API's port; undefined: a free port. */
  httpPort?: number | undefined;
  /** Join this server instead of starting one. Its credentials are in `config`. */
  joinServer?: string | undefined;
  environment: Readonly<Record<string, string | undefined>>;
  log: Logger;
  /** Aborting it stops the swarm, also while the swarm starts. */
  signal: AbortSignal;
  /** Called with each log line of each process. */
  onLine?: ((name: string, line: string) => void) | undefined;
  /** Called with a description of each step while the swarm starts. */
  onStep?: ((step: string) => void) | undefined;
}

interface Child {
  plan: ProcessPlan;
  watched: Watched;
  process: ChildProcess | null;
  identity: ProcessIdentity | null;
  log: { write(text: string): void };
  /** The output of the current run. */
  lines: LastLines;
  /** The size of the log file that nats-server writes itself, when the current run began. */
  ownLogFrom: number;
  restart: NodeJS.Timeout | undefined;
  lastExit: string | null;
  /** The reason why the supervisor killed the process, for the log. */
  killedFor: string | undefined;
  waiting: { resolve(): void; reject(error: Error): void } | undefined;
}

/** A running swarm. */
export interface Supervisor {
  readonly state: SwarmState;
  /** Resolves when the swarm has stopped, whatever the reason. */
  readonly stopped: Promise<void>;
  /** Stops everything: first the Murmur processes, which drain, then nats-server. `now`: without grace. Safe to repeat. */
  stop(options?: { now?: boolean }): Promise<void>;
}

/** Another supervisor runs a swarm in this data directory already. */
export class AlreadyRunning extends Error {
  override readonly name = "AlreadyRunning";
  readonly holder: ProcessIdentity;
  constructor(holder: ProcessIdentity) {
    super(`a swarm runs here already (supervisor ${holder.pid})`);
    this.holder = holder;
  }
}

/**
 * Starts a swarm and resolves when all its processes are ready. After a failure no process is left running.
 * @throws AlreadyRunning; the signal's reason when the signal aborts first; SwarmError `conflict` when the port is taken, or
 *   `unavailable` when a process does not start, with the end of its log.
 */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const files = dataFiles(options.config.data);
  const lock = takeLock(options.config.data);
  if ("holder" in lock) throw new AlreadyRunning(lock.holder);
  try {
    const survivors = await reapSurvivors(readState(options.config.data));
    if (survivors > 0) options.log.warn({ survivors }, "processes of a dead supervisor found; ended them");
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
      lines: new LastLines(),
      ownLogFrom: 0,
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
    child.lines.clear();
    child.ownLogFrom = sizeOf(this.#ownLogFile(plan));
    const started = startChild(
      plan,
      { speaks },
      {
        onLine: (line) => {
          child.log.write(`${line}\n`);
          child.lines.push(line);
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

  /** nats-server does not report to the supervisor: it is ready when its port answers. */
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
    const { exitCode } = died;
    const isSetupWrong = isHopeless(child.watched, exitCode);
    // A process whose binary is missing, or whose setup is wrong, would fail at the second start too.
    if (
      child.waiting !== undefined &&
      (died.pid === undefined || isSetupWrong || child.plan.metrics === null)
    ) {
      child.waiting.reject(this.#startError(child, isSetupWrong));
      return;
    }
    const { watched, restartInMs } = noteDeath(child.watched, Date.now(), { exitCode });
    child.watched = watched;
    if (restartInMs === null && isSetupWrong) {
      const reason = child.lines.message() ?? child.lastExit;
      log.error(
        { alert: "process_failed", process: name, lastExit: child.lastExit, reason },
        "process cannot start; not starting it again. Mend the reason, then run murmur down and murmur up",
      );
    } else if (restartInMs === null) {
      log.error(
        { alert: "process_failed", process: name, lastExit: child.lastExit, restarts: watched.restarts },
        "process died too often; not restarting it. See its log, then run murmur down and murmur up",
      );
      child.waiting?.reject(
        new SwarmError(
          "unavailable",
          `${name} dies at every start (${child.lastExit})\n${this.#tail(child)}`,
        ),
      );
    } else {
      log.warn({ process: name, exit: child.lastExit, restartInMs }, "process died; restarting it");
      child.restart = setTimeout(() => this.#spawn(child), restartInMs);
    }
    this.#save();
  }

  /** The error about a process that did not become ready: its own message when its setup is wrong, else its last lines. */
  #startError(child: Child, isSetupWrong: boolean): SwarmError {
    const { plan, lastExit, lines } = child;
    const message = isSetupWrong ? lines.message() : undefined;
    return message === undefined
      ? new SwarmError("unavailable", `${plan.name} did not start (${lastExit})\n${this.#tail(child)}`)
      : new SwarmError("invalid_input", `${plan.name} cannot start: ${message}`);
  }

  #watchSilence(): void {
    const everyMs = this.#options.config.silenceMs / MESSAGES_PER_SILENCE / 2;
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
        this.#options.log.warn(
          { process: child.plan.name, pid: child.process.pid },
          `process ${child.killedFor}; killing it`,
        );
        killGroup(child.process.pid);
      }
      if (!this.#lock.isHeld() && this.#stopping === undefined) {
        this.#options.log.error("lock of the data directory lost; stopping the swarm"); // I4
        void this.stop().catch(() => undefined);
      }
    }, everyMs);
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    const { config, log } = this.#options;
    log.info("swarm is stopping");
    const children = [...this.#children.values()];
    for (const child of children) clearTimeout(child.restart);
    const speaking = children.filter((child) => child.watched.speaks);
    const silent = children.filter((child) => !child.watched.speaks);
    // A server that was stopped (SIGSTOP, a debugger) must run, or the processes cannot give back their tasks.
    for (const { process: server } of silent) server?.kill("SIGCONT");
    // The Murmur processes stop first, because draining needs the server.
    await Promise.all(speaking.map((child) => this.#end(child, config.drainGraceMs + STOP_MARGIN_MS)));
    await Promise.all(silent.map((child) => this.#end(child, NATS_STOP_MS)));
    removeState(config.data);
    this.#lock.release();
    log.info("swarm has stopped");
  }

  async #end(child: Child, graceMs: number): Promise<void> {
    if (child.process === null) return;
    await endChild(child.process, {
      graceMs: this.#hurry ? 0 : graceMs,
      onOverdue: () =>
        this.#options.log.warn(
          { process: child.plan.name, graceMs },
          "process did not stop within its grace; killing it",
        ),
    });
  }

  #logFile(plan: ProcessPlan): string {
    const { logs } = dataFiles(this.#options.config.data);
    // nats-server writes its own log file. Its output before it opened that file goes to a second file.
    return join(logs, plan.metrics === null ? `${plan.name}.out.log` : `${plan.name}.log`);
  }

  /** The file that nats-server writes itself; the same as {@link #logFile} for the other processes. */
  #ownLogFile(plan: ProcessPlan): string {
    return join(dataFiles(this.#options.config.data).logs, `${plan.name}.log`);
  }

  /** The last lines of the current run. */
  #tail(child: Child): string {
    const { plan, lines, ownLogFrom } = child;
    if (plan.metrics === null) {
      for (const line of tailFrom(this.#ownLogFile(plan), ownLogFrom)) lines.push(line);
    }
    return lines.excerpt();
  }

  #save(): void {
    if (this.#stopping === undefined) writeState(this.#options.config.data, this.state);
  }
}

function toRecord(child: Child): ProcessRecord[] {
  const { plan, identity, watched, lastExit } = child;
  // A process that waits for its restart has no pid. A failed process stays in the list, for `doctor`.
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
