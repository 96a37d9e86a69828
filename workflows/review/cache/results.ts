// The results of earlier reviews, for tasks over the same contents. Stands between a review and its swarm: a known task is
// answered at once, so a review of unchanged files starts no swarm.
// I1: the key of a task has everything that its result depends on: the analysers, their version, the options, the names and contents
//     of its files, the configuration in the repository; for an analysis of the whole repository all files.
// I2: a result that tells of a passing trouble (a failed tool, a file that changed meanwhile) is not kept.
// I3: no part of a secret is kept: messages of linters quote names and texts, so a result over a file is kept only when the
//     security analysis has judged the file in the same review and found no secret in it.
import { createHash } from "node:crypto";
import type { Result } from "murmur-swarm";
import { z } from "zod";
import type { ReviewOutput } from "../../../agents/lib/review/index.ts";
import { resultSchema } from "../../../src/protocol/index.ts";
import type { ScannedFile } from "../scan.ts";
import { type ReviewPorts, type ReviewTask, readAnswer } from "../tasks/index.ts";
import { Contents } from "./contents.ts";
import type { EntryStore } from "./store.ts";

/** The form of an entry. A change of it makes all entries misses. */
const FORM = 2;
/** The name of the agent of a result from the cache: no agent took part in this review. */
export const NO_AGENT = "-";
/** Analyses that look at files beyond those of their task. */
const WHOLE: ReadonlySet<string> = new Set(["review-architecture", "review-tests", "review-docs"]);
/** Reasons that may be gone in the next review. */
const PASSING: ReadonlySet<string> = new Set(["tool-failed", "changed-meanwhile", "unreadable"]);

const entrySchema = z.strictObject({
  result: resultSchema,
  /** The results of a ballot's seats, by task id. */
  seats: z.record(z.string(), resultSchema),
});
type Entry = z.output<typeof entrySchema>;

/** The use of the cache in one review. */
export interface CacheUse {
  /** The number of tasks that the cache has answered. */
  hits: number;
  /** The number of tasks that analysers have answered. */
  misses: number;
}

interface Asked {
  key: string;
  task: ReviewTask;
  entry: Entry;
}

/** The cache of one review. */
export class ResultCache {
  readonly #store: EntryStore;
  readonly #version: string;
  readonly #isKept: () => boolean;
  readonly #seats = new Map<string, Result>();
  readonly #known = new Map<string, Entry>();
  readonly #fresh: Asked[] = [];
  readonly #judgedBySecurity = new Set<string>();
  readonly #withSecret = new Set<string>();
  #contents: Contents | undefined;
  #files: readonly ScannedFile[] = [];
  readonly use: CacheUse = { hits: 0, misses: 0 };

  /**
   * `version`: names the analysers and this program. `isKept`: false when another program's agents answer, whose version is
   * unknown; then nothing is stored.
   */
  constructor(options: { store: EntryStore; version: string; isKept: () => boolean }) {
    this.#store = options.store;
    this.#version = options.version;
    this.#isKept = options.isKept;
  }

  /** Puts the cache between a review and its swarm. */
  wrap(ports: ReviewPorts): ReviewPorts {
    return {
      ...ports,
      onScan: (directory, files) => {
        this.#files = files;
        this.#contents = new Contents(directory, files, { isFresh: false });
        ports.onScan?.(directory, files);
      },
      ready: async (tasks, signal) => {
        const missing: ReviewTask[] = [];
        for (const task of tasks) if (!(await this.#recall(task))) missing.push(task);
        if (missing.length > 0) await ports.ready?.(missing, signal);
      },
      submit: (task, signal) => this.#submit(ports, task, signal),
      resultOf: async (taskId, signal) => this.#seats.get(taskId) ?? (await ports.resultOf(taskId, signal)),
    };
  }

  /** Looks a task up. Returns true when its result is known. */
  async #recall(task: ReviewTask): Promise<boolean> {
    const key = await this.#keyOf(task, this.#contents);
    if (key === null) return false;
    const entry = entrySchema.safeParse(await this.#store.get(key));
    if (entry.success) this.#known.set(key, entry.data);
    return entry.success;
  }

  async #submit(ports: ReviewPorts, task: ReviewTask, signal: AbortSignal): Promise<Result> {
    const key = await this.#keyOf(task, this.#contents);
    const known = key === null ? undefined : this.#known.get(key);
    if (known !== undefined) {
      this.use.hits += 1;
      for (const [taskId, seat] of Object.entries(known.seats))
        this.#seats.set(taskId, { ...seat, agent: NO_AGENT });
      this.#noteSecrets(task, known.result);
      return { ...known.result, agent: NO_AGENT, ...withoutAgents(known.result) };
    }
    this.use.misses += 1;
    const result = await ports.submit(task, signal);
    this.#noteSecrets(task, result);
    if (key === null) return result;
    const seats: Record<string, Result> = {};
    for (const { taskId } of result.verdict?.seats ?? []) {
      if (taskId === undefined) return result;
      const seat = await ports.resultOf(taskId, signal);
      this.#seats.set(taskId, seat);
      seats[taskId] = seat;
    }
    const entry: Entry = { result, seats };
    if (isLasting(task, entry)) this.#fresh.push({ key, task, entry });
    return result;
  }

  /** Stores the new results of this review. Call it after the review; it waits for the disk. */
  async save(): Promise<void> {
    const { directory } = this.#fresh[0]?.task.input ?? {};
    if (directory === undefined || !this.#isKept()) return;
    // Files that have changed since the review read them get another key now.
    const contents = new Contents(directory, this.#files, { isFresh: true });
    for (const { key, task, entry } of this.#fresh) {
      if (!isQuiet(entry) && !task.input.files.every((file) => this.#hasNoSecret(file))) continue;
      if ((await this.#keyOf(task, contents)) === key) await this.#store.put(key, entry);
    }
    await this.#store.trim();
  }

  /** Returns the key of a task; null for linters that load code of the repository: no key can name all that such a result depends on. */
  async #keyOf(task: ReviewTask, contents: Contents | undefined): Promise<string | null> {
    // A sandbox does not change a result: a program that fails in it has no lasting answer.
    const { directory: _, files, sandbox: __, ...options } = task.input;
    if (contents === undefined || (task.ballot !== undefined && options.trustRepoConfig)) return null;
    const parts = [
      FORM,
      this.#version,
      task.ballot?.panel ?? [task.capability],
      options,
      await contents.of(files),
      WHOLE.has(task.capability) ? await contents.all() : await contents.configuration(),
      contents.statesOf(task.input.context ?? []),
    ];
    return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  }

  #noteSecrets(task: ReviewTask, result: Result): void {
    if (task.capability !== "review-security") return;
    const output = outputOf(result);
    if (output === null) return;
    const unjudged = new Set(output.unjudged.map(({ file }) => file));
    for (const file of task.input.files) if (!unjudged.has(file)) this.#judgedBySecurity.add(file);
    for (const { kind, file } of output.findings) if (kind === "secret") this.#withSecret.add(file);
  }

  #hasNoSecret(file: string): boolean {
    return this.#judgedBySecurity.has(file) && !this.#withSecret.has(file);
  }
}

/** True when each analyser has answered, and none of them tells of a passing trouble. */
function isLasting(task: ReviewTask, { result, seats }: Entry): boolean {
  const answers = task.ballot === undefined ? [result] : Object.values(seats);
  if (answers.length !== (task.ballot?.panel ?? [0]).length) return false;
  return answers.every((answer) => {
    const output = outputOf(answer);
    return output?.unjudged.every(({ why }) => !PASSING.has(why)) === true;
  });
}

/** True when an entry has no text about a file, apart from findings of the security analysis, which never quote a secret. */
function isQuiet({ result, seats }: Entry): boolean {
  return [result, ...Object.values(seats)].every((each) => {
    const output = outputOf(each);
    return output === null
      ? each.verdict !== undefined
      : output.findings.every(({ kind }) => kind === "secret");
  });
}

function outputOf({ status, output }: Result): Pick<ReviewOutput, "findings" | "unjudged"> | null {
  if (status !== "completed") return null;
  const isVote = typeof output === "object" && output !== null && "places" in output;
  const parsed = readAnswer(output, isVote);
  return parsed.success ? parsed.data : null;
}

/** The verdict of a ballot names the agents of its seats, which took no part in this review. */
function withoutAgents({ verdict }: Result): Pick<Result, "verdict"> {
  if (verdict === undefined) return {};
  return { verdict: { ...verdict, seats: verdict.seats.map((seat) => ({ ...seat, agent: NO_AGENT })) } };
}
