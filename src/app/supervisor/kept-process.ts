// One process of a local swarm, kept running: started, restarted after a death, ended on demand. It knows its log, the end of its
// output, and the sources that it runs. Decisions are in decide.ts; supervisor.ts owns the list of processes and the state on disk.
// I1: a process that was told to end is not restarted.
// I2: the quoted end of the output is of the latest run only.
import type { ChildProcess } from "node:child_process";
import { type Logger, sleep } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { endChild, killGroup, startChild } from "./child.ts";
import {
  isHopeless,
  noteDeath,
  noteEnding,
  noteFailed,
  noteHeard,
  noteStarted,
  type Watched,
  watch,
} from "./decide.ts";
import { identify, type ProcessIdentity } from "./identity.ts";
import { ProcessOutput } from "./output.ts";
import type { ProcessPlan } from "./plan.ts";
import { probeServer } from "./server-probe.ts";
import { readSources, type Sources } from "./sources/sources.ts";
import type { ProcessRecord } from "./state.ts";
import type { SupervisorMessage } from "./supervisor-link.ts";

/** The interval between probes of a starting nats-server, and the timeout of one probe. The server is up within 20–60 ms. */
const PROBE_INTERVAL_MS = 20;
const PROBE_TIMEOUT_MS = 1_000;
/** The surroundings of a process: those of its swarm. */
export interface KeptParts {
  /** The folder of the logs. */
  readonly logs: string;
  /** The file that defines the agent; undefined for other processes. */
  readonly agentFile?: string | undefined;
  readonly server: string;
  readonly log: Logger;
  /** False while the swarm stops: no process starts then. */
  readonly mayStart: () => boolean;
  /** Saves the state. It is called whenever the record changed. */
  readonly onChange: () => void;
  readonly onLine: (line: string) => void;
  /** Called with the id that the process told, when it died and the swarm does not stop. */
  readonly onGone: (processId: string) => void;
}

/** One process and its restarts. */
export class KeptProcess {
  readonly plan: ProcessPlan;
  readonly agentFile: string | undefined;
  watched: Watched;
  /** The files that the latest run loaded; null before they were read, and for processes without an agent file. */
  sources: Sources | null = null;
  readonly #parts: KeptParts;
  readonly #output: ProcessOutput;
  #process: ChildProcess | null = null;
  /** The id of the running process in the swarm; null before it told it. */
  #processId: string | null = null;
  #identity: ProcessIdentity | null = null;
  #startedAtMs: number | null = null;
  #lastExit: string | null = null;
  /** The reason why the supervisor killed the process, for the log. */
  #killedFor: string | undefined;
  #restart: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;
  #waiting: { resolve(): void; reject(error: Error): void } | undefined;

  constructor(plan: ProcessPlan, parts: KeptParts) {
    this.plan = plan;
    this.agentFile = parts.agentFile;
    this.#parts = parts;
    this.watched = watch(plan.name, plan.metrics !== null, Date.now());
    // nats-server writes its own log.
    this.#output = new ProcessOutput({
      logs: parts.logs,
      name: plan.name,
      writesOwnLog: plan.metrics === null,
    });
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get lastExit(): string | null {
    return this.#lastExit;
  }

  /** Its entry in swarm.json; null while it has nothing to show. */
  get record(): ProcessRecord | null {
    const { plan, watched } = this;
    // A process that waits for its restart has no pid. A failed process stays in the list, for `doctor`.
    if (this.#identity === null && ["starting", "stopping"].includes(watched.status)) return null;
    return {
      role: plan.role,
      name: plan.name,
      pid: this.#identity?.pid ?? 0,
      started: this.#identity?.started ?? "",
      startedAtMs: this.#startedAtMs,
      metrics: plan.metrics,
      status: watched.status,
      restarts: watched.restarts,
      lastExit: this.#lastExit,
    };
  }

  /**
   * Starts the process and resolves when it is ready. Restarts count from zero.
   * @throws SwarmError `unavailable` with the end of its log, when it cannot start or dies too often.
   */
  start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = { resolve, reject };
    promise.catch(() => undefined);
    this.watched = watch(this.plan.name, this.plan.metrics !== null, Date.now());
    this.#lastExit = null;
    this.#spawn();
    return promise;
  }

  /** Sends SIGTERM, and after `graceMs` SIGKILL to its group; resolves when it is gone (I1). 0: SIGKILL at once. */
  end(graceMs: number): Promise<void> {
    if (graceMs === 0) killGroup(this.#process?.pid);
    // A second SIGTERM would end the process at once, in the middle of its drain.
    this.#ending ??= this.#end(graceMs).finally(() => {
      this.#ending = undefined;
    });
    return this.#ending;
  }

  async #end(graceMs: number): Promise<void> {
    this.cancelRestart();
    this.watched = noteEnding(this.watched); // I1
    this.#waiting?.reject(new SwarmError("cancelled", `${this.plan.name} was told to stop`));
    this.#waiting = undefined;
    if (this.#process === null) return;
    await endChild(this.#process, {
      graceMs,
      onOverdue: () =>
        this.#parts.log.warn(
          { process: this.plan.name, graceMs },
          "process did not stop within its grace; killing it",
        ),
    });
  }

  /** A process that waits for its restart is not started any more. */
  cancelRestart(): void {
    clearTimeout(this.#restart);
  }

  /** Lets a process that was stopped (SIGSTOP) run again. */
  wake(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Kills the process and its group; it is restarted. `reason`: for the log. */
  kill(reason?: string): void {
    if (reason !== undefined) {
      this.#killedFor = reason;
      this.#parts.log.warn(
        { process: this.plan.name, pid: this.#process?.pid },
        `process ${reason}; killing it`,
      );
    }
    killGroup(this.#process?.pid);
  }

  /** Sends a message to the process, if it can receive one. A lost message is not sent again. */
  tell(message: SupervisorMessage): void {
    if (this.#process?.connected === true) this.#process.send(message, () => undefined);
  }

  /** The last lines of the latest run (I2), indented. */
  excerpt(): string {
    return this.#output.excerpt();
  }

  #spawn(): void {
    if (!this.#parts.mayStart()) return;
    const { plan, watched } = this;
    const { speaks } = watched;
    this.#output.beginRun(); // I2
    const started = startChild(
      plan,
      { speaks },
      {
        onLine: (line) => {
          this.#output.write(line);
          this.#parts.onLine(line);
        },
        onMessage: (message) => {
          if (this.#process !== started) return;
          if (message.type === "alive") this.#processId ??= message.processId ?? null;
          this.#hear(message.type === "ready");
        },
        onDeath: (how) => this.#onDeath(started, how),
      },
    );
    this.#process = started;
    this.#startedAtMs = Date.now();
    this.#killedFor = undefined;
    this.watched = noteStarted(watched, Date.now());
    this.#identity = started.pid === undefined ? null : identify(started.pid);
    this.#parts.onChange();
    if (!speaks) void this.#probe(started);
    void this.#readSources(started);
  }

  async #readSources(started: ChildProcess): Promise<void> {
    if (this.agentFile === undefined) return;
    const sources = await readSources(this.agentFile);
    if (this.#process === started) this.sources = sources;
  }

  #hear(ready: boolean): void {
    this.watched = noteHeard(this.watched, Date.now(), ready && this.watched.status === "starting");
    if (!ready || this.watched.status !== "running") return;
    this.#waiting?.resolve();
    this.#waiting = undefined;
    this.#parts.log.info({ process: this.plan.name, pid: this.#process?.pid }, "process is ready");
    this.#parts.onChange();
  }

  /** nats-server does not report to the supervisor: it is ready when its port answers. */
  async #probe(started: ChildProcess): Promise<void> {
    while (this.#process === started && this.#parts.mayStart()) {
      const info = await probeServer(this.#parts.server, PROBE_TIMEOUT_MS).catch(() => null);
      if (info !== null) {
        if (this.#process === started) this.#hear(true);
        return;
      }
      await sleep(PROBE_INTERVAL_MS);
    }
  }

  #onDeath(died: ChildProcess, how: string): void {
    if (this.#process !== died) return;
    const { log, mayStart, onChange } = this.#parts;
    const { name, metrics } = this.plan;
    const processId = this.#processId;
    this.#process = null;
    this.#processId = null;
    this.#identity = null;
    this.#startedAtMs = null;
    this.#lastExit = this.#killedFor === undefined ? how : `${how} (${this.#killedFor})`;
    if (!mayStart()) return;
    // Also after an ordered end: a process that overran its grace was killed before its goodbye.
    if (processId !== null) this.#parts.onGone(processId);
    if (this.watched.status === "stopping") {
      onChange(); // I1
      return;
    }
    const { exitCode } = died;
    const isSetupWrong = isHopeless(this.watched, exitCode);
    // A process whose binary is missing, or whose setup is wrong, would fail at the second start too.
    if (this.#waiting !== undefined && (died.pid === undefined || isSetupWrong || metrics === null)) {
      this.watched = noteFailed(this.watched);
      onChange();
      this.#refuse(this.#startError(isSetupWrong));
      return;
    }
    const { watched, restartInMs } = noteDeath(this.watched, Date.now(), { exitCode });
    this.watched = watched;
    if (restartInMs === null && isSetupWrong) {
      const reason = this.#output.message() ?? this.#lastExit;
      log.error(
        { alert: "process_failed", process: name, lastExit: this.#lastExit, reason },
        `process cannot start; not starting it again. Mend the reason, then run murmur restart ${name}`,
      );
    } else if (restartInMs === null) {
      log.error(
        { alert: "process_failed", process: name, lastExit: this.#lastExit, restarts: watched.restarts },
        `process died too often; not restarting it. See murmur logs ${name}, then run murmur restart ${name}`,
      );
      this.#refuse(
        new SwarmError("unavailable", `${name} dies at every start (${this.#lastExit})\n${this.excerpt()}`),
      );
    } else {
      log.warn({ process: name, exit: this.#lastExit, restartInMs }, "process died; restarting it");
      this.#restart = setTimeout(() => this.#spawn(), restartInMs);
    }
    onChange();
  }

  /** The error about a process that did not become ready: its own message when its setup is wrong, else its last lines. */
  #startError(isSetupWrong: boolean): SwarmError {
    const { name } = this.plan;
    const message = isSetupWrong ? this.#output.message() : undefined;
    return message === undefined
      ? new SwarmError("unavailable", `${name} did not start (${this.#lastExit})\n${this.excerpt()}`)
      : new SwarmError("invalid_input", `${name} cannot start: ${message}`);
  }

  #refuse(error: SwarmError): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
