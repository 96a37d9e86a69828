// A file that a process reads at its start and follows while it runs: the contents of now. A change counts within seconds, so that adding
// or revoking a user restarts no process.
// I1: a file that cannot be used keeps the contents that stand; the reason is logged once for each state of the file, and
//     `problem` tells it until the file is good.
// I2: each change is told once, whether it is taken or refused.
import { createHash } from "node:crypto";
import { createService, type Logger, type Service } from "../base/index.ts";
import { toSwarmError } from "../protocol/index.ts";

/** The time between two looks at the file, in ms: as between two looks at the files of the connection. A change counts within 5 s. */
export const FILE_LOOK_MS = 2_000;

/** A change of the file: `outcome` is `done`, or the error code of a refused file. */
export interface FileChange {
  readonly outcome: string;
  /** The SHA-256 of the contents that counted before, in hex. */
  readonly from: string;
  /** The SHA-256 of the new contents, in hex; null for a file that cannot be read. */
  readonly to: string | null;
  /** The numbers of members that only the new and only the old contents have; only of a file that is taken. */
  readonly added?: number;
  readonly removed?: number;
}

/** One kind of file, with contents of the type `T`. */
export interface FileKind<T> {
  /** The name in log lines: `permissions file`. */
  readonly name: string;
  /** The things that count, in the plural: `rights`. */
  readonly gives: string;
  /** @throws SwarmError `invalid_input` for a file that cannot be read. */
  read(path: string): Promise<string>;
  /** @throws SwarmError `invalid_input` for contents that cannot be used. */
  parse(text: string, path: string): T | Promise<T>;
  /** The members of the contents: a change counts them. */
  members(contents: T): Iterable<string>;
  /** Refuses good contents that may not follow those of now. @throws SwarmError `invalid_input`. */
  requireSuccessor?(now: T, next: T, path: string): void;
  /** The weakness of contents that count all the same; null without one. */
  weakness?(contents: T, path: string): string | null;
}

/** A file that was read for the first time. */
export interface FirstRead<T> {
  readonly kind: FileKind<T>;
  readonly path: string;
  readonly text: string;
  readonly contents: T;
}

/** Reads a file for the first time. @throws SwarmError `invalid_input` for a file that cannot be used. */
export async function readFirst<T>(kind: FileKind<T>, path: string): Promise<FirstRead<T>> {
  const text = await kind.read(path);
  return { kind, path, text, contents: await kind.parse(text, path) };
}

/** The SHA-256 of a file's text, in hex: the audit log names the contents by it. */
export function hashOfFile(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A file, and its contents that count. */
export class FollowedFile<T> {
  readonly path: string;
  readonly #kind: FileKind<T>;
  readonly #log: Logger;
  #hash: string;
  #contents: T;
  /** The state of the file that was refused, and the reason (I1). */
  #refused: { readonly state: string; readonly problem: string } | null = null;

  constructor({ kind, path, text, contents }: FirstRead<T>, { log }: { log: Logger }) {
    this.path = path;
    this.#kind = kind;
    this.#log = log;
    this.#hash = hashOfFile(text);
    this.#contents = contents;
    this.#tellWeakness();
  }

  /** The contents that count. */
  get contents(): T {
    return this.#contents;
  }

  /** The SHA-256 of the contents that count, in hex. */
  get hash(): string {
    return this.#hash;
  }

  /**
   * The reason why the file cannot be used now, while the earlier contents count (I1); else the weakness of the contents. Null for a good
   * file.
   */
  get problem(): string | null {
    if (this.#refused === null) return this.#weakness;
    return `${this.#refused.problem}; the earlier ${this.#kind.gives} count until the file is mended`;
  }

  get #weakness(): string | null {
    return this.#kind.weakness?.(this.#contents, this.path) ?? null;
  }

  #tellWeakness(): void {
    const problem = this.#weakness;
    if (problem !== null)
      this.#log.warn({ problem }, `${this.#kind.name} has a weakness; it counts all the same`);
  }

  /** Looks at the file again and again while the service runs. */
  follow(onChange: (change: FileChange) => void): Service {
    let timer: NodeJS.Timeout | undefined;
    let looking: Promise<void> | null = null;
    return createService({
      name: this.#kind.name,
      start: () => {
        timer = setInterval(() => {
          looking ??= this.look(onChange).finally(() => {
            looking = null;
          });
        }, FILE_LOOK_MS);
        timer.unref();
      },
      stop: async () => {
        clearInterval(timer);
        await looking;
      },
    });
  }

  /** Looks once, takes a changed file that can be used, and tells the change (I2). Never rejects. */
  async look(onChange: (change: FileChange) => void): Promise<void> {
    const { name, gives } = this.#kind;
    const file = this.path;
    const from = this.#hash;
    let to: string | null = null;
    try {
      const text = await this.#kind.read(file);
      to = hashOfFile(text);
      if (to === from) {
        if (this.#refused !== null) this.#log.info({ file }, `${name} is as before`);
        this.#refused = null;
        return;
      }
      if (this.#refused?.state === to) return;
      const next = await this.#kind.parse(text, file);
      this.#kind.requireSuccessor?.(this.#contents, next, file);
      const counts = countChange(this.#kind.members(this.#contents), this.#kind.members(next));
      this.#contents = next;
      this.#hash = to;
      this.#refused = null;
      this.#log.info({ file, ...counts }, `${name} changed; its ${gives} count from now on`);
      this.#tellWeakness();
      onChange({ outcome: "done", from, to, ...counts });
    } catch (error) {
      const { code, message: problem } = toSwarmError(error);
      const state = to ?? problem;
      if (this.#refused?.state === state) return; // I1
      this.#refused = { state, problem };
      this.#log.warn({ file, problem }, `${name} changed and cannot be used; the earlier ${gives} count`);
      onChange({ outcome: code, from, to });
    }
  }
}

function countChange(before: Iterable<string>, after: Iterable<string>): { added: number; removed: number } {
  const [old, now] = [new Set(before), new Set(after)];
  return {
    added: [...now].filter((member) => !old.has(member)).length,
    removed: [...old].filter((member) => !now.has(member)).length,
  };
}
