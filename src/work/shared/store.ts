// The shared context of workflows: named JSON values that agents, workflows and people read and change together. Each change is one message
// on `<p>.shared.<lane>.<workflowId>.<name>`, and the stream keeps the last 16 of each name. Engines remove the values with the log of
// their run (engine/check).
//
// V1  The revision of a value is the sequence of its change in the stream: it only rises, and compare-and-set compares it.
// V2  A change with a key is made once: a repetition finds the key among the kept changes. So a workflow may repeat it after a crash.
// V3  A value belongs to a run that is there: the first change of a name looks for the log of the run.
import { z } from "zod";
import {
  decode,
  encode,
  type Json,
  nameSchema,
  parse,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import { bodyHeaders } from "../stores/bodies.ts";

/** The largest value, in bytes of JSON. */
export const MAX_SHARED_BYTES = 64 * 1024;
/**
 * The most names of one run. Two writers of new names at the same moment may pass it by one: the bound keeps a run from growing without
 * end, and is no promise to the byte.
 */
export const MAX_SHARED_NAMES = 100;

/** The person or program behind a change. */
export interface SharedAuthor {
  readonly user: string;
  /** True if NATS permissions or a token prove the name. */
  readonly proven: boolean;
}

/** One change of a value: the value as it was after it. */
export interface SharedChange {
  readonly value: Json;
  readonly revision: number;
  /** The time of the change, in ms since 1970. */
  readonly atMs: number;
  readonly by: SharedAuthor;
}

/** A value with its name. */
export interface SharedValue extends SharedChange {
  readonly name: string;
}

/** A value of one run. */
export interface SharedAddress {
  readonly workflowId: string;
  readonly name: string;
}

/** A change to make. */
export interface SharedWrite extends SharedAddress {
  readonly value: Json;
  readonly by: SharedAuthor;
  /** Only if the value still has this revision; 0: only if it was never set. Default: in any case. */
  readonly revision?: number | undefined;
  /** Makes the change once, however often it is asked for (V2). */
  readonly key?: string | undefined;
}

const bodySchema = z.object({
  value: z.custom<Json>((value) => value !== undefined, "must be a JSON value"),
  by: z.object({ user: z.string().max(64), proven: z.boolean() }),
  key: z.string().optional(),
});

/** The shared values of one swarm. */
export class SharedStore {
  readonly #transport: Transport;
  readonly #subjects: Subjects;

  constructor(parts: { transport: Transport; subjects: Subjects }) {
    this.#transport = parts.transport;
    this.#subjects = parts.subjects;
  }

  /** The value, from the stream's leader; null when it was never set. @throws SwarmError `unavailable`. */
  async get({ workflowId, name }: SharedAddress): Promise<SharedChange | null> {
    const stored = await this.#log.last(this.#subjects.shared(workflowId, checkSharedName(name)), {
      fresh: true,
    });
    return stored === null ? null : readChange(stored);
  }

  /**
   * Changes a value, and resolves with its new revision.
   * @throws SwarmError `conflict` when the value has another revision; `payload_too_large`; `not_found` for a run that is not there;
   *   `rate_limited` for a name too many, and while the stream is full; `invalid_input`; `unavailable`: the change may be stored or not.
   */
  async set({ workflowId, name, value, by, revision, key }: SharedWrite): Promise<{ revision: number }> {
    const subject = this.#subjects.shared(workflowId, checkSharedName(name));
    const bytes = Buffer.byteLength(JSON.stringify(value));
    if (bytes > MAX_SHARED_BYTES)
      throw new SwarmError(
        "payload_too_large",
        `the shared value ${name} has ${bytes} bytes of JSON; at most ${MAX_SHARED_BYTES} are kept: store a file, and share its place`,
        { field: "value" },
      );
    const made = key === undefined ? undefined : await this.#findMade(subject, key);
    if (made !== undefined) return { revision: made };
    if ((await this.#log.last(subject, { fresh: true })) === null) await this.#checkNew(workflowId, name);
    const data = encode({ value, by, ...(key === undefined ? {} : { key }) });
    try {
      const { seq } = await this.#log.append(subject, data, {
        headers: bodyHeaders("json"),
        ...(revision === undefined ? {} : { expectedLastSubjectSeq: revision }),
      });
      return { revision: seq };
    } catch (error) {
      if (error instanceof SwarmError && error.code === "rate_limited")
        throw new SwarmError(
          "rate_limited",
          `the shared values of all runs fill their stream, so ${name} is not changed: give the stream more bytes, or let runs end, because their values go with their logs`,
          { cause: error, retryable: true },
        );
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      const now = await this.#log.last(subject, { fresh: true });
      throw new SwarmError(
        "conflict",
        `the shared value ${name} has the revision ${now?.seq ?? 0}, expected ${revision}: read it again, and change what is there now`,
        { field: "revision", retryable: true },
      );
    }
  }

  /** The revision of the change that was made under a key; undefined when it was not, or is no longer kept. */
  async #findMade(subject: string, key: string): Promise<number | undefined> {
    for await (const stored of this.#log.read({ filter: subject }))
      if (readBody(stored).key === key) return stored.seq;
    return undefined;
  }

  /** @throws SwarmError for a run without a log, or with too many names (V3). */
  async #checkNew(workflowId: string, name: string): Promise<void> {
    const log = this.#transport.log("workflows");
    if ((await log.last(this.#subjects.workflow(workflowId), { fresh: true })) === null)
      throw new SwarmError(
        "not_found",
        `this swarm has no log of a workflow ${workflowId}: shared values belong to a run that is there`,
        { field: "id" },
      );
    const names = await this.#log.subjects(this.#subjects.filters.sharedOf(workflowId), {
      max: MAX_SHARED_NAMES,
    });
    if (names.size >= MAX_SHARED_NAMES)
      throw new SwarmError(
        "rate_limited",
        `workflow ${workflowId} has ${MAX_SHARED_NAMES} shared values already; put ${name} into one of them`,
        { field: "name", retryable: false },
      );
  }

  /** All values of a run, sorted by name. @throws SwarmError `unavailable`. */
  async list(workflowId: string): Promise<SharedValue[]> {
    const last = new Map<string, SharedValue>();
    for await (const stored of this.#log.read({ filter: this.#subjects.filters.sharedOf(workflowId) })) {
      const at = this.#subjects.readShared(stored.subject);
      if (at !== null) last.set(at.name, { name: at.name, ...readChange(stored) });
    }
    return [...last.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** The kept changes of a value, the oldest first. @throws SwarmError `unavailable`. */
  async history({ workflowId, name }: SharedAddress): Promise<SharedChange[]> {
    const changes: SharedChange[] = [];
    const filter = this.#subjects.shared(workflowId, checkSharedName(name));
    for await (const stored of this.#log.read({ filter })) changes.push(readChange(stored));
    return changes;
  }

  get #log() {
    return this.#transport.log("shared");
  }
}

/** @throws SwarmError `invalid_input` for a name that is no token. */
function checkSharedName(name: string): string {
  return parse(nameSchema, name, "shared value", "name");
}

function readBody(stored: Pick<Stored, "data">): z.output<typeof bodySchema> {
  return parse(bodySchema, decode(stored.data).value, "shared value");
}

function readChange(stored: Stored): SharedChange {
  const { value, by } = readBody(stored);
  return { value, revision: stored.seq, atMs: stored.storedAtMs, by };
}
