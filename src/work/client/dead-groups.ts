// Dead letters by group: capability, code and fingerprint of the message. A process that asks again and again reads only the letters that
// are new, because a letter has the whole body of its task.
// D1: a group counts each stored letter once; letters that were removed leave at the next look.
import type { DeadLetter, Subjects } from "../../protocol/index.ts";
import type { Log, Stored } from "../../transport/index.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** The most letters that are grouped, the newest: their facts take some 5 MB of memory. */
export const MAX_GROUPED = 10_000;
/** The most letters whose subjects are listed to find the removed ones; with more, the newest are read again. */
const MAX_LISTED_LETTERS = 100_000;
/** The longest sample of a message. */
const MAX_SAMPLE_LENGTH = 300;

/** A group of letters. */
export interface DeadGroup {
  readonly capability: string;
  readonly code: string;
  readonly fingerprint: string;
  readonly count: number;
  /** The times of death of the first and the last, ISO 8601. */
  readonly oldest: string;
  readonly newest: string;
  /** The newest letter. */
  readonly sample: { readonly taskId: string; readonly message: string };
}

/** The groups of now. */
export interface DeadGroups {
  /** The largest first. */
  readonly groups: readonly DeadGroup[];
  /** The letters that the groups hold, the newest ones, and the letters that are stored. */
  readonly seen: number;
  readonly stored: number;
}

/** The facts of one letter. */
interface LetterFacts {
  readonly capability: string;
  readonly code: string;
  readonly fingerprint: string;
  readonly diedAt: string;
  readonly taskId: string;
  readonly message: string;
}

/** Reads the groups, and remembers the facts of the letters that it has read. */
export class DeadGrouper {
  readonly #log: Pick<Log, "info" | "read" | "subjects">;
  readonly #subjects: Subjects;
  readonly #readLetter: (stored: Stored) => Promise<DeadLetter>;
  /** By subject, which a letter has for itself, in the order of the stream. */
  readonly #known = new Map<string, LetterFacts>();
  #lastSeq = 0;
  /** The letters that were stored at the last look. */
  #stored = 0;
  #looking: Promise<DeadGroups> | null = null;

  constructor(parts: {
    log: Pick<Log, "info" | "read" | "subjects">;
    subjects: Subjects;
    readLetter: (stored: Stored) => Promise<DeadLetter>;
  }) {
    this.#log = parts.log;
    this.#subjects = parts.subjects;
    this.#readLetter = parts.readLetter;
  }

  /** The groups of now. Callers at the same time share one look. @throws SwarmError `unavailable`. */
  look(): Promise<DeadGroups> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<DeadGroups> {
    const { messages, lastSeq } = await this.#log.info();
    const isNew = lastSeq < this.#lastSeq; // the stream was made anew
    if (isNew) this.#forget();
    const added = await this.#readNew(lastSeq);
    if (messages < this.#stored + added) {
      if (messages <= MAX_LISTED_LETTERS)
        await this.#dropRemoved(); // D1
      else {
        this.#forget();
        await this.#readNew(lastSeq);
      }
    }
    this.#stored = messages;
    for (const subject of this.#known.keys()) {
      if (this.#known.size <= MAX_GROUPED) break;
      this.#known.delete(subject); // the oldest
    }
    return { groups: groupLetters(this.#known.values()), seen: this.#known.size, stored: messages };
  }

  /** Reads the letters behind the last known one, and returns their number. */
  async #readNew(lastSeq: number): Promise<number> {
    const fromSeq = Math.max(this.#lastSeq + 1, lastSeq - MAX_GROUPED + 1);
    let added = 0;
    if (fromSeq <= lastSeq) {
      for await (const stored of this.#log.read({ filter: this.#subjects.filters.allDead, fromSeq })) {
        this.#keep(stored.subject, await this.#readLetter(stored));
        added++;
        this.#lastSeq = Math.max(this.#lastSeq, stored.seq);
        if (stored.seq >= lastSeq) break;
      }
    }
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq);
    return added;
  }

  #keep(subject: string, { capability, reason, diedAt, taskId }: DeadLetter): void {
    this.#known.delete(subject); // a later letter of the same task stands at the end
    this.#known.set(subject, {
      ...{ capability, code: reason.code, fingerprint: fingerprintOf(reason.message), diedAt, taskId },
      message: reason.message.slice(0, MAX_SAMPLE_LENGTH),
    });
  }

  async #dropRemoved(): Promise<void> {
    const stored = await this.#log.subjects(this.#subjects.filters.allDead, { max: MAX_LISTED_LETTERS });
    for (const subject of this.#known.keys()) if (!stored.has(subject)) this.#known.delete(subject);
  }

  #forget(): void {
    this.#known.clear();
    this.#lastSeq = 0;
    this.#stored = 0;
  }
}

/** The groups of these letters, the largest first. */
function groupLetters(letters: Iterable<LetterFacts>): DeadGroup[] {
  const keyOf = ({ capability, code, fingerprint }: LetterFacts) =>
    JSON.stringify([capability, code, fingerprint]);
  return [...Map.groupBy(letters, keyOf).values()]
    .map((group): DeadGroup => {
      const byAge = group.toSorted((a, b) => (a.diedAt < b.diedAt ? -1 : 1));
      const [oldest, newest] = [byAge[0]!, byAge.at(-1)!];
      const { capability, code, fingerprint, taskId, message } = newest;
      return {
        ...{ capability, code, fingerprint, count: group.length },
        ...{ oldest: oldest.diedAt, newest: newest.diedAt, sample: { taskId, message } },
      };
    })
    .sort((a, b) => b.count - a.count || (a.newest < b.newest ? 1 : -1));
}
