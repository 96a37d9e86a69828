// Runs a whole swarm on this machine: starts its processes, restarts a process that dies, kills a process that falls silent,
// and leaves no process behind. One process is kept-process.ts, a change of the running swarm changer.ts; the decisions are in
// decide.ts, the plans of processes in plan.ts, the files on disk in state.ts and wanted/wanted.ts.
// I1: swarm.json names a new process before the supervisor awaits anything else, so that the process can always be found.
// I2: the supervisor starts no process after stop() began.
// I3: every child leads a process group; when the child dies, the supervisor kills the rest of its group.
// I4: a supervisor that no longer holds its lock stops its swarm, so that two supervisors never run one data directory.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger, Service } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Config } from "../settings.ts";
import { VERSION } from "../version.ts";
import { Changer, NATS_STOP_MS } from "./changer.ts";
import { createControl } from "./control/control.ts";
import { forgiveStandstill, isSilent } from "./decide.ts";
import { identify, type ProcessIdentity } from "./identity.ts";
import { runInit } from "./init.ts";
import { KeptProcess } from "./kept-process.ts";
import { type LocalUsers, prepareUsers } from "./permissions.ts";
import { createPlanner, natsConfig, type ProcessPlan, planNats, planProcesses } from "./plan.ts";
import { findFreePorts, isFree } from "./ports.ts";
import { ProcessTable } from "./process-table.ts";
import { reapSurvivors } from "./reap.ts";
import {
  dataFiles,
  type Lock,
  readState,
  removeState,
  type SwarmState,
  takeLock,
  writeState,
} from "./state.ts";
import { MESSAGES_PER_SILENCE } from "./supervisor-link.ts";
import { countRoles, markServer } from "./wanted/wanted.ts";

/** The time beyond its drain grace that a process has before the supervisor kills it. It ends by itself within 1.75 s. */
const STOP_MARGIN_MS = 3_000;
/** The swarm that `up` starts. */
export interface SupervisorOptions {
  config: Config;
  /** The role of each agent process. */
  roles: readonly string[];
  /** The roles of agents that the processes of a role load; default: that role alone. */
  loads?: Readonly<Record<string, readonly string[]>> | undefined;
  /** The roles whose processes may only read; default: none. */
  readOnlyRoles?: ReadonlySet<string> | undefined;
  /** The program of the agent processes; default: `agent run` of this program. */
  agentProgram?: string | undefined;
  /** The agent file of each known role, for the comparison of code and for `watch`; default: none is compared. */
  roleFiles?: Readonly<Record<string, string>> | undefined;
  /** Restart a role when its files change; default false. */
  watch?: boolean | undefined;
  /** The number of coordinators; default none. */
  coordinators?: number | undefined;
  /** The number of engines; default none. */
  engines?: number | undefined;
  /** The number of engines that a person asked for, to keep; undefined: the next `up` looks at the project again. */
  wantedEngines?: number | undefined;
  /**
   * False for a swarm that no `up` or `restart` will change: then the supervisor does not read the files of the program for a later comparison
   * (0.2 s of CPU time). Default true.
   */
  isLasting?: boolean | undefined;
  /** Whether an api process runs too; default true. Without an api process, the streams must exist already. */
  withApi?: boolean | undefined;
  /** The API's port; undefined: a free port. */
  httpPort?: number | undefined;
  /** Join this server instead of starting one. Its credentials are in `config`. */
  joinServer?: string | undefined;
  /** The permissions file: the own server refuses everything that it does not allow. Default: it allows everything. */
  permissionsFile?: string | undefined;
  environment: Readonly<Record<string, string | undefined>>;
  /** The working directory of the processes; default that of this process. Relative paths of settings start from it. */
  directory?: string | undefined;
  log: Logger;
  /** Aborting it stops the swarm, also while the swarm starts. */
  signal: AbortSignal;
  /**
   * Called with the address of the server while the processes start, to do a part of the swarm's work in this process. The start waits
   * for it, and fails with it. The signal aborts when the swarm stops.
   */
  onServer?: ((server: string, signal: AbortSignal) => Promise<void>) | undefined;
  /** Called with each log line of each process. */
  onLine?: ((name: string, line: string) => void) | undefined;
  /** Called with a description of each step while the swarm starts. */
  onStep?: ((step: string) => void) | undefined;
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
  readonly #table: ProcessTable;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #halt = new AbortController();
  readonly #roleFiles: Map<string, string>;
  readonly #control: Service & { readonly path: string };
  #changer: Changer | undefined;
  #server = "";
  #http = "";
  #users: LocalUsers | undefined;
  #ready = false;
  #stopping: Promise<void> | undefined;
  #hurry = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SupervisorOptions, lock: Lock) {
    this.#options = options;
    this.#lock = lock;
    this.#roleFiles = new Map(Object.entries(options.roleFiles ?? {}));
    this.#table = new ProcessTable({
      signal: AbortSignal.any([options.signal, this.#halt.signal]),
      onChange: () => this.#save(),
    });
    this.#control = createControl({
      path: dataFiles(options.config.data).control,
      log: options.log,
      perform: async (request, onStep) => {
        if (this.#changer !== undefined) return this.#changer.perform(request, onStep);
        throw new SwarmError("unavailable", "the swarm is starting; try again");
      },
    });
  }

  get state(): SwarmState {
    const me = identify(process.pid);
    return {
      version: 1,
      supervisor: { pid: process.pid, started: me?.started ?? "" },
      program: VERSION,
      control: this.#control.path,
      ready: this.#ready,
      prefix: this.#options.config.prefix,
      server: this.#server,
      http: this.#http,
      permissions: this.#users === undefined ? null : { file: this.#users.path, keys: this.#users.keys },
      processes: this.#table.all.flatMap(({ record }) => record ?? []),
    };
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  async start(): Promise<Supervisor> {
    const {
      config,
      roles,
      coordinators = 0,
      engines = 0,
      httpPort,
      joinServer,
      signal,
      onStep,
    } = this.#options;
    const { environment, directory, loads, readOnlyRoles, agentProgram, log, withApi, permissionsFile } =
      this.#options;
    const http = httpPort === undefined || httpPort === 0 ? null : httpPort;
    try {
      if (http !== null) await this.#checkHttpPort(http);
      this.#users = permissionsFile === undefined ? undefined : await prepareUsers(permissionsFile, config);
      const users = this.#users;
      const [natsPort, freeHttpPort, ...metricsPorts] = await findFreePorts(
        3 + coordinators + roles.length + engines,
      );
      const apiPort = http ?? freeHttpPort!;
      this.#server = joinServer ?? `nats://127.0.0.1:${natsPort}`;
      this.#http = this.#httpUrl(apiPort);
      const facts = {
        config,
        server: this.#server,
        ownServer: joinServer === undefined,
        environment,
        directory,
        loads,
        readOnlyRoles,
        agentProgram,
        users,
      };
      const plans = planProcesses({
        ...facts,
        roles,
        coordinators,
        engines,
        httpPort: withApi === false ? undefined : apiPort,
        metricsPorts,
      });
      const natsPlan = joinServer === undefined ? this.#writeNatsPlan(natsPort!) : null;
      const planner = createPlanner(facts);
      this.#changer = new Changer({
        config,
        log,
        planner,
        table: this.#table,
        roleFiles: this.#roleFiles,
        wanted: {
          agents: countRoles(roles),
          coordinators,
          engines: this.#options.wantedEngines,
          http,
          joined: joinServer === undefined ? null : markServer(joinServer),
        },
        graceMs: this.#graceMs,
        signal: this.#halt.signal,
        isOpen: () => this.#ready && this.#stopping === undefined,
        add: (plan) => this.#add(plan),
        save: () => this.#save(),
        api: {
          port: () => Number(new URL(this.#http).port),
          check: (port) => this.#checkHttpPort(port),
          move: (port) => {
            this.#http = this.#httpUrl(port);
          },
        },
      });
      signal.throwIfAborted();
      const all = [...(natsPlan === null ? [] : [natsPlan]), ...plans];
      onStep?.(`starting ${all.map((plan) => plan.name).join(", ")}`);
      this.#watchSilence();
      await this.#control.start();
      if (users === undefined) {
        const besides = this.#options.onServer?.(this.#server, AbortSignal.any([signal, this.#halt.signal]));
        await Promise.all([this.#table.startAll(all.map((plan) => this.#add(plan))), besides]);
      } else {
        await this.#table.startAll(natsPlan === null ? [] : [this.#add(natsPlan)]);
        await runInit(planner.init(), AbortSignal.any([signal, this.#halt.signal]));
        await this.#table.startAll(plans.map((plan) => this.#add(plan)));
      }
      this.#ready = true;
      if (this.#options.isLasting !== false) this.#changer.keep();
      this.#save();
      if (this.#options.watch === true) await this.#changer.watch();
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
      for (const kept of this.#table.all) kept.kill();
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

  get #graceMs(): number {
    return this.#options.config.drainGraceMs + STOP_MARGIN_MS;
  }

  #httpUrl(port: number): string {
    const { httpHost } = this.#options.config;
    return `http://${httpHost.includes(":") ? `[${httpHost}]` : httpHost}:${port}`;
  }

  /** @throws SwarmError `conflict`. */
  async #checkHttpPort(port: number): Promise<void> {
    const { httpHost } = this.#options.config;
    if (await isFree(port, httpHost)) return;
    throw new SwarmError(
      "conflict",
      `port ${port} of ${httpHost} is taken: choose another with --http, or --http 0 for a free one`,
      { field: "http" },
    );
  }

  #writeNatsPlan(port: number): ProcessPlan {
    const { config } = this.#options;
    const files = dataFiles(config.data);
    const logFile = join(files.logs, "nats-1.log");
    writeFileSync(
      files.natsConfig,
      natsConfig({
        port,
        storeDir: files.nats,
        logFile,
        sync: config.sync,
        hasAccounts: this.#users !== undefined,
      }),
    );
    return planNats({ config, configFile: files.natsConfig });
  }

  #add(plan: ProcessPlan): KeptProcess {
    const { logs } = dataFiles(this.#options.config.data);
    const parts = {
      logs,
      agentFile: this.#roleFiles.get(plan.role),
      server: this.#server,
      log: this.#options.log,
      mayStart: () => this.#stopping === undefined, // I2
      onChange: () => this.#save(), // I1
      onLine: (line: string) => this.#options.onLine?.(plan.name, line),
      onGone: (processId: string) => this.#table.announceDeath(processId),
    };
    return this.#table.add(new KeptProcess(plan, parts));
  }

  #watchSilence(): void {
    const everyMs = this.#options.config.silenceMs / MESSAGES_PER_SILENCE / 2;
    let lastMs = Date.now();
    this.#timer = setInterval(() => {
      const nowMs = Date.now();
      const all = this.#table.all;
      const forgiven = forgiveStandstill(
        all.map(({ watched }) => watched),
        { lastMs, nowMs, everyMs },
      );
      lastMs = nowMs;
      for (const [index, kept] of all.entries()) {
        kept.watched = forgiven[index]!;
        if (!kept.isRunning || !isSilent(kept.watched, nowMs, this.#options.config.silenceMs)) continue;
        kept.kill(`silent for ${nowMs - kept.watched.heardAtMs} ms`);
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
    this.#halt.abort(new SwarmError("cancelled", "the swarm stops"));
    const all = this.#table.all;
    for (const kept of all) kept.cancelRestart();
    const end = (kept: KeptProcess, graceMs: number) => kept.end(this.#hurry ? 0 : graceMs);
    // A server that was stopped (SIGSTOP, a debugger) must run, or the processes cannot give back their tasks.
    for (const kept of all) if (!kept.watched.speaks) kept.wake();
    // The Murmur processes stop first, because draining needs the server.
    await Promise.all(all.filter(({ watched }) => watched.speaks).map((kept) => end(kept, this.#graceMs)));
    await Promise.all(all.filter(({ watched }) => !watched.speaks).map((kept) => end(kept, NATS_STOP_MS)));
    await this.#changer?.stop();
    await this.#control.stop();
    removeState(config.data);
    this.#lock.release();
    log.info("swarm has stopped");
  }

  #save(): void {
    if (this.#stopping === undefined) writeState(this.#options.config.data, this.state);
  }
}
