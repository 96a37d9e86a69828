// The client of workflows: starts runs, sends commands, and reads logs. A command is judged by an engine before it is stored; the reply comes
// when it is stored, so it survives everything after that.
import {
  type Chance,
  type Clock,
  newId,
  sleep,
  systemChance,
  TRACEPARENT,
  untilAborted,
} from "../../base/index.ts";
import {
  canonicalJson,
  createSubjects,
  decode,
  encode,
  fromWire,
  isJsonObject,
  type Json,
  type Result,
  type Subjects,
  SwarmError,
  toSwarmError,
  type WireError,
  WORKFLOW_CAPABILITY,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { bodyHeaders, readResultMessage, type TaskClient } from "../../work/index.ts";
import { type Author, type Command, type Fold, foldLog, type RunSummary } from "../../workflow/index.ts";
import { ENDED } from "../check/look.ts";
import { CommandStore } from "../commands/command-store.ts";
import { type AskedCommand, judgeCommand, RunDefinitions } from "../commands/judge.ts";
import { workflowIdSchema } from "../commands/wire.ts";
import { LogStore, type StoredLog } from "../stores/log-store.ts";
import { readSummary } from "../stores/summary.ts";

/** How long a caller waits for an engine's judgement, in ms. */
const JUDGEMENT_TIMEOUT_MS = 5_000;
/** The most runs of one list. */
export const MAX_LISTED_RUNS = 10_000;
/** The most logs that one list looks at: a swarm with more has another place for its history. */
const MAX_SEEN_RUNS = 1_000_000;
/** The time between two looks of a watch while no event comes, in ms: events are best effort. */
const RECHECK_WATCH_MS = 2_000;

/** The least runs that are sorted at once while a list is made. */
const MIN_SORTED = 1_000;

/** A run to start. */
export interface StartRequest {
  /** The id: an idempotency key. Default: a new one. */
  readonly id?: string | undefined;
  readonly workflow: string;
  /** Default: the newest version that an engine has loaded. */
  readonly version?: number | undefined;
  readonly input: Json;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The deadline of the run, in ms since 1970. */
  readonly deadlineMs?: number | undefined;
  /** The `traceparent` of the caller: the run belongs to its trace. An invalid one is left out. */
  readonly traceparent?: string | undefined;
  /** Signals that are there from the first. */
  readonly signals?: readonly { readonly name: string; readonly value: Json }[] | undefined;
}

/** A run that was started, or was there before. */
export interface StartedRun {
  readonly id: string;
  readonly workflow: string;
  readonly version: number;
  /** True: a run with this id, workflow and input was there before. */
  readonly duplicate: boolean;
}

/** The state of a run with the time of its last entry. */
export interface ListedRun extends RunSummary {
  readonly atMs: number;
}

/** A filter for a list of runs. */
export interface RunFilter {
  readonly state?: string | undefined;
  readonly name?: string | undefined;
  /** The reason of the wait. */
  readonly waiting?: string | undefined;
  /** Labels that must have these values. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Only runs that failed, are blocked, or whose compensation failed. */
  readonly failing?: boolean | undefined;
  /** Only runs whose last entry is at or after this time, in ms since 1970. */
  readonly sinceMs?: number | undefined;
}

/** A list of runs, the newest last entry first. */
export interface RunList {
  readonly runs: readonly ListedRun[];
  /** The number of runs that fit the filter, listed or not. */
  readonly fitting: number;
  /** The logs that were looked at. */
  readonly seen: number;
  /** Logs without a summary that this version can read. */
  readonly unreadable: number;
  /** True: there are more logs than were looked at. */
  readonly isCut: boolean;
}

/** The client of workflows. */
export class WorkflowClient {
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #clock: Clock;
  readonly #tasks: Pick<TaskClient, "locate" | "expect">;
  readonly #logs: LogStore;
  readonly #commands: CommandStore;

  constructor(parts: {
    transport: Transport;
    tasks: Pick<TaskClient, "locate" | "expect">;
    chance?: Chance;
  }) {
    const { transport, tasks, chance = systemChance } = parts;
    this.#transport = transport;
    this.#tasks = tasks;
    this.#clock = transport.clock;
    this.#subjects = createSubjects(transport.prefix);
    const shared = { transport, subjects: this.#subjects, clock: this.#clock, chance };
    this.#logs = new LogStore(shared);
    this.#commands = new CommandStore(shared);
  }

  /**
   * Starts a run. The same id with the same workflow and input is a repetition.
   * @throws SwarmError `not_found` for an unknown workflow; `invalid_input`; `conflict` for an id of another run or of a task;
   *   `unavailable` when no engine answers.
   */
  async start(request: StartRequest, by?: Author): Promise<StartedRun> {
    const id = request.id ?? newId().toLowerCase();
    checkId(id);
    return this.#startAs(id, request, by);
  }

  async #startAs(id: string, request: StartRequest, by?: Author): Promise<StartedRun> {
    const { workflow: name } = request;
    const asked = startOf(request);
    const known = request.id === undefined ? null : await this.#findRun(id);
    if (known !== null) return repetition(id, known, asked);
    const command = (await this.#judge({ id, command: asked, by })) as Extract<Command, { type: "start" }>;
    const stored = { command, ...(by === undefined ? {} : { by }) };
    try {
      const seq = await this.#commands.append(id, stored, { isFirst: true });
      if (request.id !== undefined) {
        const other = await this.#otherStart(id, seq);
        if (other !== null) return repetition(id, other, asked);
      }
      return { id, workflow: name, version: command.version, duplicate: false };
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict" || error.field === "id") throw error;
      const first = (await this.#findRun(id)) ?? (await this.#findRun(id));
      if (first !== null) return repetition(id, first, asked);
      throw new SwarmError("conflict", `another start of ${id} came first; try again`, { field: "id" });
    }
  }

  /**
   * Starts a run and waits for its end, as {@link start} and {@link result} do; a new run needs no look for an earlier end.
   * @throws SwarmError as these do.
   */
  async run(
    request: StartRequest,
    options: { by?: Author; timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<Result> {
    const id = request.id ?? newId().toLowerCase();
    checkId(id);
    return this.#untilEnd(id, options, async () => {
      const { duplicate } = await this.#startAs(id, request, options.by);
      return !duplicate; // The subscription came before the start, so it misses no end.
    });
  }

  /** Lets an engine check a start, and starts nothing. @throws SwarmError as {@link start}. */
  async check(request: StartRequest): Promise<void> {
    await this.#judge({ id: request.id ?? newId().toLowerCase(), command: startOf(request) });
  }

  /** True while a run is there that has not ended, or its start waits for an engine. @throws SwarmError `unavailable`. */
  async isGoing(id: string): Promise<boolean> {
    const found = await this.#logs.summary(id);
    if (found?.summary !== undefined && found.summary !== null) return !ENDED.has(found.summary.state);
    return found !== null || (await this.#commands.pendingStart(id)) !== null;
  }

  /** The start of a run that is there, from its log or its stored command; null without one. @throws SwarmError `conflict` for a task. */
  async #findRun(id: string): Promise<{ name: string; version: number; input: Json } | null> {
    const { texts } = await this.#logs.read(id);
    if (texts.length > 0) {
      const { begun } = foldOf(id, texts);
      if (begun !== null) return begun;
    }
    const pending = await this.#commands.pendingStart(id);
    if (pending?.command.type === "start") return pending.command;
    const found = await this.#tasks.locate(id);
    if (found === null) return null;
    const what =
      found.capability === WORKFLOW_CAPABILITY
        ? "a run whose log has expired"
        : `a task of ${found.capability}`;
    throw new SwarmError("conflict", `the id ${id} is taken by ${what}; choose another`, { field: "id" });
  }

  /** The start that an engine took before ours; null when ours is the first one, or waits. */
  async #otherStart(id: string, seq: number): Promise<{ name: string; version: number; input: Json } | null> {
    const { texts } = await this.#logs.read(id);
    if (texts.length === 0) return null;
    const { begun, commandEntries } = foldOf(id, texts);
    return commandEntries.get(seq) === 1 ? null : begun;
  }

  /**
   * Sends a command to a run. @throws SwarmError with the reason why it would change nothing; `unavailable`.
   */
  async send(id: string, command: Exclude<AskedCommand, { type: "start" }>, by?: Author): Promise<void> {
    checkId(id);
    const judged = await this.#judge({ id, command, by });
    await this.#commands.append(id, { command: judged, ...(by === undefined ? {} : { by }) });
  }

  /** Lets an engine judge a command. Without an engine, this process judges what needs no definition. */
  async #judge(asked: { id: string; command: AskedCommand; by?: Author | undefined }): Promise<Command> {
    try {
      const reply = await this.#ask("check", asked);
      return (reply as { command: Command }).command;
    } catch (error) {
      if (toSwarmError(error).code !== "unavailable") throw error;
      if (asked.command.type === "start")
        throw new SwarmError(
          "unavailable",
          "no engine answers, so nothing was started: murmur engine, or murmur up --engines 1, runs one",
          { cause: error },
        );
      return judgeCommand(
        {
          logs: this.#logs,
          commands: this.#commands,
          definitions: null,
          runs: new RunDefinitions(null),
          nowMs: this.#clock.now(),
        },
        asked,
      );
    }
  }

  /** The workflows that an engine has loaded. @throws SwarmError `unavailable`. */
  async definitions(): Promise<readonly { name: string; versions: number[] }[]> {
    const reply = await this.#ask("definitions", {});
    return (reply as { definitions: { name: string; versions: number[] }[] }).definitions;
  }

  async #ask(request: "check" | "definitions", body: unknown): Promise<unknown> {
    const reply = await this.#transport.bus.request(this.#subjects.engines(request), encode(body), {
      timeoutMs: JUDGEMENT_TIMEOUT_MS,
      headers: bodyHeaders("json"),
    });
    const { value } = decode(reply.data);
    if (isJsonObject(value) && isJsonObject(value.error)) throw fromWire(value.error as unknown as WireError);
    return value;
  }

  /** The log of a run. @throws SwarmError `not_found`. */
  async log(id: string): Promise<StoredLog> {
    checkId(id);
    const log = await this.#logs.read(id);
    if (log.texts.length > 0) return log;
    const pending = await this.#commands.pendingStart(id);
    const why =
      pending === null ? "it was never started, or its log has expired" : "its start waits for an engine";
    throw new SwarmError("not_found", `this swarm has no log of a workflow ${id}: ${why}`);
  }

  /** The state of a run, from its whole log. @throws SwarmError `not_found`; `internal` for a broken log. */
  async fold(id: string): Promise<Fold> {
    return foldOf(id, (await this.log(id)).texts);
  }

  /** Lists runs. See {@link listRuns}. @throws SwarmError `unavailable`. */
  list(filter: RunFilter = {}, max = MAX_LISTED_RUNS): Promise<RunList> {
    return listRuns(this.#transport, filter, max);
  }

  /**
   * Follows a run: yields its summary now, and after each change that it sees, until the run has ended. A change that another one follows
   * at once may be left out. @throws SwarmError `not_found`; the signal's reason.
   */
  async *watch(id: string, { signal }: { signal?: AbortSignal | undefined } = {}): AsyncGenerator<ListedRun> {
    checkId(id);
    let news = Promise.withResolvers<void>();
    const filter = this.#subjects.filters.workflowEvents(id);
    const subscription = this.#transport.bus.subscribe(filter, () => news.resolve());
    try {
      await this.#transport.bus.flush();
      for (let shown = ""; ; ) {
        signal?.throwIfAborted();
        news = Promise.withResolvers();
        const found = await this.#logs.summary(id);
        if (found === null) await this.#requireRun(id);
        else if (found.summary !== null) {
          const key = JSON.stringify(found.summary);
          if (key !== shown) yield { ...found.summary, atMs: found.storedAtMs };
          if (ENDED.has(found.summary.state)) return;
          shown = key;
        }
        const stop = new AbortController();
        const until = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
        const pause = sleep(RECHECK_WATCH_MS, { clock: this.#clock, signal: until }).catch(() => undefined);
        await Promise.race([news.promise, pause]);
        stop.abort();
      }
    } finally {
      subscription.close();
    }
  }

  /** Waits for the end of a run. @throws SwarmError `not_found`; `timeout`; the signal's reason. */
  async result(
    id: string,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<Result> {
    checkId(id);
    return this.#untilEnd(id, options, async () => {
      await this.#transport.bus.flush();
      return false;
    });
  }

  /** Waits for the end of a run. `begin` runs after the subscription; true: the run is new, so that no look for its end is needed now. */
  async #untilEnd(
    id: string,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined },
    begin: () => Promise<boolean>,
  ): Promise<Result> {
    const { timeoutMs, signal } = options;
    const late = new SwarmError(
      "timeout",
      `workflow ${id} has not ended within ${timeoutMs} ms; it goes on: see murmur workflow show ${id}`,
    );
    const stop = new AbortController();
    const cancelTimer =
      timeoutMs === undefined ? () => undefined : this.#clock.after(timeoutMs, () => stop.abort(late));
    // Before the start, so that the subscription misses no end.
    const wait = this.#tasks.expect({ capability: WORKFLOW_CAPABILITY, taskId: id });
    wait.result.catch(() => undefined);
    const until = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    try {
      const isNew = await begin();
      if (!isNew) {
        const stored = await this.#readResult(id);
        if (stored !== null) return stored;
        await this.#requireRun(id);
      }
      return await untilAborted(wait.result, until);
    } finally {
      cancelTimer();
      wait.close();
    }
  }

  async #readResult(id: string): Promise<Result | null> {
    const filter = this.#subjects.filters.resultOfTask(WORKFLOW_CAPABILITY, id);
    const stored = await this.#transport.log("results").last(filter);
    return stored === null ? null : readResultMessage(stored, this.#transport.blobs);
  }

  /** @throws SwarmError `not_found` when no log and no stored start has this id. */
  async #requireRun(id: string): Promise<void> {
    if ((await this.#logs.tip(id)) > 0 || (await this.#commands.pendingStart(id)) !== null) return;
    await this.log(id);
  }
}

/**
 * Lists runs from the headers of their last entries, the newest first and at most `max` of them. A run that changes meanwhile may count
 * twice, and is listed once. @throws SwarmError `unavailable`.
 */
export async function listRuns(
  transport: Pick<Transport, "prefix" | "log">,
  filter: RunFilter = {},
  max = MAX_LISTED_RUNS,
): Promise<RunList> {
  let runs: ListedRun[] = [];
  let [seen, fitting, unreadable] = [0, 0, 0];
  const keepNewest = () => {
    runs.sort((one, other) => other.atMs - one.atMs || (one.id < other.id ? -1 : 1));
    const ids = new Set<string>();
    runs = runs.filter(({ id }) => !ids.has(id) && ids.add(id)).slice(0, max);
  };
  const isCut = await transport.log("workflows").lasts({
    filter: createSubjects(transport.prefix).filters.workflows(),
    max: MAX_SEEN_RUNS,
    onLast: (last) => {
      seen++;
      const summary = readSummary(last);
      if (summary === null) unreadable++;
      else if (fits(summary, last.storedAtMs, filter)) {
        fitting++;
        runs.push({ ...summary, atMs: last.storedAtMs });
        if (runs.length >= 2 * Math.max(max, MIN_SORTED)) keepNewest();
      }
    },
  });
  keepNewest();
  return { runs, fitting, seen, unreadable, isCut };
}

/** The fold of a log. @throws SwarmError `internal` for a broken log. */
export function foldOf(id: string, texts: readonly string[]): Fold {
  const read = foldLog(id, texts);
  if (read.ok) return read.fold;
  throw new SwarmError(
    "internal",
    `the log of workflow ${id} is broken at entry ${read.entry}: ${read.fault}`,
  );
}

/** The command of a start. */
function startOf(request: StartRequest) {
  const { workflow: name, version, input, labels, deadlineMs, signals, traceparent } = request;
  return {
    type: "start" as const,
    name,
    input,
    ...(version === undefined ? {} : { version }),
    ...(labels === undefined ? {} : { labels }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(signals === undefined ? {} : { signals }),
    ...(traceparent !== undefined && TRACEPARENT.test(traceparent) ? { traceparent } : {}),
  };
}

function checkId(id: string): void {
  const issue = workflowIdSchema.safeParse(id).error?.issues[0];
  if (issue !== undefined) throw new SwarmError("invalid_input", `id ${issue.message}`, { field: "id" });
}

/** A start whose run is there. @throws SwarmError `conflict` for another workflow or input. */
function repetition(
  id: string,
  known: { name: string; version: number; input: Json },
  asked: { name: string; version?: number | undefined; input: Json },
): StartedRun {
  const isSame = known.name === asked.name && canonicalJson(known.input) === canonicalJson(asked.input);
  if (isSame && (asked.version === undefined || asked.version === known.version))
    return { id, workflow: known.name, version: known.version, duplicate: true };
  const what = known.name === asked.name ? "another input or version" : `the workflow ${known.name}`;
  throw new SwarmError("conflict", `the id ${id} is taken by a run of ${what}; choose another`, {
    field: "id",
  });
}

/** The states of runs that a person should look at. */
const FAILING: ReadonlySet<string> = new Set(["failed", "blocked", "compensation_failed"]);

function fits(summary: RunSummary, storedAtMs: number, filter: RunFilter): boolean {
  const { state, name, waiting, labels = {}, failing = false, sinceMs } = filter;
  if (failing && !FAILING.has(summary.state)) return false;
  if (state !== undefined && (state === "ended" ? !ENDED.has(summary.state) : summary.state !== state))
    return false;
  if (name !== undefined && summary.name !== name) return false;
  if (waiting !== undefined && summary.waiting?.reason !== waiting) return false;
  if (sinceMs !== undefined && storedAtMs < sinceMs) return false;
  return Object.entries(labels).every(([label, value]) => summary.labels?.[label] === value);
}
