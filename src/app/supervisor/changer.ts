// Changes a running swarm on demand: the wanted state of another `up`, `restart`, and changed files of agents. The decisions are in
// wanted/changes.ts and sources/settle.ts; the supervisor owns the processes and their plans.
// I1: changes happen one after the other.
// I2: files that do not load never replace a running agent.
import { relative } from "node:path";
import type { Logger, Service } from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { Config } from "../settings.ts";
import { VERSION } from "../version.ts";
import type { ControlRequest, RestartAnswer, UpAnswer } from "./control/control.ts";
import type { KeptProcess } from "./kept-process.ts";
import { type Planner, type ProcessPlan, RESERVED_ROLES } from "./plan.ts";
import { findFreePorts } from "./ports.ts";
import { isOfficeHolder, untilReady } from "./probe-process.ts";
import { namesOf, type ProcessTable } from "./process-table.ts";
import { checkRole } from "./sources/check-role.ts";
import { changedFiles, hashSources, readProgram, readSources } from "./sources/sources.ts";
import { createWatcher } from "./sources/watcher.ts";
import {
  codeDifference,
  compareServer,
  compareSettings,
  type Difference,
  decideChanges,
  ENGINE_ROLE,
  failedDifference,
  programDifference,
  type Running,
  showFiles,
} from "./wanted/changes.ts";
import { viewSettings } from "./wanted/settings.ts";
import { changeWanted, type Wanted, writeWanted } from "./wanted/wanted.ts";

/** The time that nats-server has to close its store; measured: 50 ms. */
export const NATS_STOP_MS = 10_000;
/** The most requests of commands that wait for their turn. People send one at a time; a loop of a script is stopped here. */
const MAX_WAITING_CHANGES = 32;

/** The parts of the supervisor that a change needs. */
export interface ChangerParts {
  readonly config: Config;
  readonly log: Logger;
  readonly planner: Planner;
  readonly table: ProcessTable;
  /** The agent file of each known role. */
  readonly roleFiles: Map<string, string>;
  /** The wanted state at the start. */
  readonly wanted: Wanted;
  /** The time from SIGTERM to SIGKILL of a Murmur process, in ms. */
  readonly graceMs: number;
  /** Aborts when the swarm stops. */
  readonly signal: AbortSignal;
  /** False while the swarm starts or stops. */
  readonly isOpen: () => boolean;
  readonly add: (plan: ProcessPlan) => KeptProcess;
  /** Saves swarm.json. */
  readonly save: () => void;
  /** The port of the API: `check` throws for a taken one, `move` changes it. */
  readonly api: { port(): number; check(port: number): Promise<void>; move(port: number): void };
}

/** The changes of one swarm. */
export class Changer {
  readonly #parts: ChangerParts;
  readonly #table: ProcessTable;
  #wanted: Wanted;
  #watcher: Service | undefined;
  /** The hash of the program that this supervisor runs; empty until it was read. */
  #program = "";
  #changing: Promise<unknown> = Promise.resolve();
  #waitingChanges = 0;

  constructor(parts: ChangerParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#wanted = parts.wanted;
  }

  /** Keeps the wanted state on disk, and reads the files of the program for later comparisons. Call it when the swarm is ready. */
  keep(): void {
    writeWanted(this.#parts.config.data, this.#wanted);
    void readProgram().then((program) => {
      this.#program = hashSources(program);
    });
  }

  /** Ends the watch, and waits for the change in progress. The signal must have aborted. */
  async stop(): Promise<void> {
    await this.#watcher?.stop();
    await this.#changing;
  }

  /** Performs the request of a command. @throws SwarmError `unavailable` while the swarm starts or stops; the change's own. */
  async perform(request: ControlRequest, onStep: (step: string) => void): Promise<UpAnswer | RestartAnswer> {
    for (const [role, file] of Object.entries(request.roleFiles)) this.#parts.roleFiles.set(role, file);
    return this.#inTurn<UpAnswer | RestartAnswer>(() =>
      request.type === "up" ? this.#change(request, onStep) : this.#restartNamed(request.names, onStep),
    );
  }

  /** Runs one change after the other (I1). @throws SwarmError `unavailable` while the swarm starts or stops. */
  async #inTurn<T>(change: () => Promise<T>): Promise<T> {
    if (this.#waitingChanges >= MAX_WAITING_CHANGES) {
      throw new SwarmError(
        "rate_limited",
        `${this.#waitingChanges} changes of this swarm wait already; try again`,
      );
    }
    this.#waitingChanges++;
    const turn = this.#changing.then(() => {
      if (!this.#parts.isOpen()) {
        throw new SwarmError("unavailable", "the swarm is starting or stopping; try again");
      }
      return change();
    });
    this.#changing = turn.catch(() => undefined);
    return turn.finally(() => this.#waitingChanges--);
  }

  async #change(request: ControlRequest & { type: "up" }, onStep: (step: string) => void): Promise<UpAnswer> {
    const { log } = this.#parts;
    const wanted = changeWanted(this.#wanted, request.asked);
    const { add, remove, renewApi, renewCoordinators } = decideChanges(this.#running(), wanted);
    const changes: string[] = [];
    const note = (text: string) => {
      changes.push(text);
      onStep(text);
      log.info(`swarm changed: ${text}`);
    };
    if (renewApi) await this.#parts.api.check(wanted.http!);
    if (add.length > 0) {
      const ports = await findFreePorts(add.length);
      const added = add.map((place, index) =>
        this.#parts.add(this.#planOf({ ...place, metricsPort: ports[index]! })),
      );
      onStep(`starting ${namesOf(added)}`);
      await this.#table.startAll(added).catch(async (error: unknown) => {
        await this.#table.remove(added, 0);
        throw error;
      });
      note(`started ${namesOf(added)}`);
    }
    if (renewApi) {
      const [api] = this.#table.ofRole("api");
      const [metricsPort] = await findFreePorts(1);
      await this.#table.remove([api!], this.#parts.graceMs);
      this.#parts.api.move(wanted.http!);
      await this.#table.startAll([
        this.#parts.add(this.#parts.planner.api({ httpPort: wanted.http!, metricsPort: metricsPort! })),
      ]);
      note(`started api-1 anew on port ${wanted.http}`);
    }
    if (renewCoordinators) note(await this.#renewCoordinators(wanted.coordinators, onStep));
    if (remove.length > 0) {
      const surplus = remove.map(({ role, number }) => this.#table.get(`${role}-${number}`)!);
      onStep(`draining ${namesOf(surplus)}`);
      await this.#table.remove(surplus, this.#parts.graceMs);
      note(`ended ${namesOf(surplus)}`);
    }
    this.#wanted = wanted;
    writeWanted(this.#parts.config.data, wanted);
    this.#parts.save();
    if (request.watch && this.#watcher === undefined) {
      await this.watch();
      note("watching the files of the roles");
    }
    return { changes, differences: await this.#compare(request) };
  }

  #planOf(place: { role: string; number: number; metricsPort: number }): ProcessPlan {
    const { planner } = this.#parts;
    return place.role === ENGINE_ROLE ? planner.engine(place) : planner.agent(place);
  }

  /** Each coordinator knows the ids of all, so a new number ends all and starts all: no office for about a second. */
  async #renewCoordinators(count: number, onStep: (step: string) => void): Promise<string> {
    const before = this.#table.ofRole("coordinator");
    onStep(`changing the coordinators from ${before.length} to ${count}`);
    await this.#table.remove(before, this.#parts.graceMs);
    const ports = await findFreePorts(count);
    const plans = ports.map((metricsPort, index) =>
      this.#parts.planner.coordinator({ number: index + 1, count, metricsPort }),
    );
    await this.#table.startAll(plans.map((plan) => this.#parts.add(plan)));
    return `changed the coordinators from ${before.length} to ${count}`;
  }

  async #compare(request: ControlRequest & { type: "up" }): Promise<Difference[]> {
    const { config } = this.#parts;
    const { version, hash } = request.program;
    const isNewer = this.#program !== "" && hash !== this.#program;
    const code = await Promise.all(
      [...this.#table.agentFiles()].map(async ([role, file]) => {
        const files = await this.#changedFiles(role, file);
        return files.length === 0 ? [] : [codeDifference(role, files)];
      }),
    );
    const failed = this.#table.all.filter(({ watched }) => watched.status === "failed");
    return [
      ...compareServer(this.#wanted.joined, request.joined),
      ...compareSettings(viewSettings(config), request.settings),
      ...(isNewer ? [programDifference(VERSION, version)] : []),
      ...code.flat(),
      ...failed.map(({ plan, lastExit }) => failedDifference(plan.name, plan.role, lastExit)),
    ];
  }

  async #restartNamed(names: readonly string[], onStep: (step: string) => void): Promise<RestartAnswer> {
    const all = this.#table.all;
    const known = [...new Set(all.map(({ plan }) => plan.role))];
    const unknown = names.find((name) => !all.some(({ plan }) => plan.role === name || plan.name === name));
    if (unknown !== undefined) {
      throw new SwarmError(
        "not_found",
        `no process of this swarm is called ${unknown}; known: ${[...known, ...all.map(({ plan }) => plan.name)].join(", ")}`,
        { field: "roles" },
      );
    }
    const chosen = all.filter(({ plan }) =>
      names.length === 0 ? plan.role !== "nats" : names.includes(plan.role) || names.includes(plan.name),
    );
    const roles = [...new Set(chosen.map(({ plan }) => plan.role))];
    for (const role of roles) await this.#checkFiles(role);
    for (const role of roles) {
      const group = chosen.filter(({ plan }) => plan.role === role);
      onStep(`restarting ${namesOf(group)}`);
      await this.#renew(group);
      this.#parts.log.info({ processes: group.map(({ plan }) => plan.name) }, "processes started anew");
    }
    return { restarted: chosen.map(({ plan }) => plan.name) };
  }

  /** @throws SwarmError `invalid_input` when the files of a role do not load; its processes run on (I2). */
  async #checkFiles(role: string): Promise<void> {
    if (!this.#table.agentFiles().has(role)) return;
    const problem = await checkRole(
      this.#parts.planner.agent({ role, number: 1, metricsPort: 0 }),
      this.#parts.signal,
    );
    if (problem === null) return;
    throw new SwarmError("invalid_input", `${role} runs on with its old code: ${problem}`, {
      field: "roles",
    });
  }

  /** Drains and starts the processes of one role anew, one after the other, so that the others serve; the holder of the office comes last. */
  async #renew(group: readonly KeptProcess[]): Promise<void> {
    const isCoordinator = (kept: KeptProcess) => kept.plan.role === "coordinator";
    const leads = await Promise.all(
      group.map((kept) => isCoordinator(kept) && isOfficeHolder(kept.plan.metrics)),
    );
    const order = [...group.filter((_, index) => !leads[index]), ...group.filter((_, index) => leads[index])];
    for (const kept of order) {
      await kept.end(kept.watched.speaks === false ? NATS_STOP_MS : this.#parts.graceMs);
      await this.#table.startAll([kept]);
      if (isCoordinator(kept)) await untilReady(kept.plan, this.#parts.signal);
    }
  }

  /** Restarts roles from now on when their files change. */
  async watch(): Promise<void> {
    this.#watcher = createWatcher({
      roles: () => this.#table.agentFiles(),
      onChange: (role) =>
        this.#inTurn(() => this.#onFilesChanged(role)).catch((error: unknown) =>
          this.#parts.log.error({ err: error, role }, "role not restarted after a change of its files"),
        ),
    });
    await this.#watcher.start();
  }

  async #onFilesChanged(role: string): Promise<void> {
    const { log } = this.#parts;
    const file = this.#table.agentFiles().get(role);
    const files = file === undefined ? [] : await this.#changedFiles(role, file);
    if (files.length === 0) return;
    try {
      await this.#checkFiles(role);
    } catch (error) {
      log.warn(
        { role, files, problem: toSwarmError(error).message },
        "files changed but do not load; the running role stays",
      );
      return;
    }
    log.info({ role, files }, `files changed (${showFiles(files)}); restarting ${role}`);
    await this.#renew(this.#table.ofRole(role));
    log.info({ role }, `${role} runs its new code`);
  }

  /** The files of a role that changed after one of its processes started, relative to the working directory. */
  async #changedFiles(role: string, file: string): Promise<string[]> {
    const now = await readSources(file);
    const changed = this.#table
      .ofRole(role)
      .flatMap(({ sources }) => (sources === null ? [] : changedFiles(sources, now)));
    return [...new Set(changed)].map((path) => relative(process.cwd(), path));
  }

  #running(): Running {
    const kept = this.#table.all.map(({ plan }) => plan);
    return {
      agents: kept.filter(({ role }) => role === ENGINE_ROLE || !RESERVED_ROLES.includes(role)),
      coordinators: this.#table.ofRole("coordinator").length,
      http: this.#table.ofRole("api").length === 0 ? null : this.#parts.api.port(),
    };
  }
}
