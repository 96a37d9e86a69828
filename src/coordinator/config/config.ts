// The reducer of configuration values that the whole swarm shares. Each value has a revision, so that one of two
// concurrent writers notices the conflict. Pure.
//
// C1  A new revision is greater than every earlier revision of any value. So no revision occurs twice.

import { z } from "zod";
import type { Json } from "../../protocol/index.ts";
import { type Reducer, refuse } from "../reducer.ts";
import { type Change, History } from "./history.ts";

/** The most values of one swarm. */
export const MAX_VALUES = 1_000;
/** The largest value, in characters of its JSON. */
export const MAX_VALUE_LENGTH = 16_384;
/** The longest name of a writer, in characters. */
const MAX_BY_LENGTH = 64;

/** Tokens joined by dots, at most eight: `review.model`. */
const nameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$/,
    "must be tokens joined by dots, for example review.model",
  );

const commands = {
  /**
   * Sets the value; null removes it. With `expectedRevision`, only if the value has this revision now (0: no such
   * value).
   */
  "config-set": z.strictObject({
    type: z.literal("config-set"),
    name: nameSchema,
    value: z
      .json("must be a JSON value")
      .refine(
        (value) => JSON.stringify(value).length <= MAX_VALUE_LENGTH,
        `must be at most ${MAX_VALUE_LENGTH} characters of JSON`,
      ),
    expectedRevision: z.int().min(0).optional(),
    /** The name of the writer, for the history. */
    by: z.string().min(1).max(MAX_BY_LENGTH).optional(),
    /** The clock of the office's holder, in ms since 1970, for the history. */
    nowMs: z.int().min(0).optional(),
  }),
};

/** A command that sets or removes a value. */
export type ConfigCommand = z.output<(typeof commands)["config-set"]>;

/** A value as a reply shows it. */
export interface ConfigView {
  name: string;
  value: Json;
  revision: number;
}

/** All values. */
export interface ConfigState {
  lastRevision: number;
  readonly byName: Map<string, { readonly value: Json; readonly revision: number }>;
  readonly history: History;
}

/** The reducer of values. */
export const config: Reducer<ConfigState, ConfigCommand> = {
  commands,
  empty: () => ({ lastRevision: 0, byName: new Map(), history: new History() }),
  decide(state, { name, value, expectedRevision, by = null, nowMs = null }) {
    const before = state.byName.get(name);
    const found = before?.revision ?? 0;
    if (expectedRevision !== undefined && expectedRevision !== found) {
      return refuse(
        "conflict",
        `${name} has revision ${found}, expected ${expectedRevision}: look at it again, then set it with that revision`,
        "expectedRevision",
      );
    }
    if (before === undefined && value !== null && state.byName.size >= MAX_VALUES) {
      return refuse(
        "conflict",
        `${MAX_VALUES} values are set already; remove some (set them to null)`,
        "name",
      );
    }
    const revision = ++state.lastRevision; // C1
    if (value === null) state.byName.delete(name);
    else state.byName.set(name, { value: value as Json, revision });
    state.history.add({ name, revision, value: value as Json, atMs: nowMs, by });
    // The result does not contain the value: the fold keeps results, and many large values would need much memory.
    return { name, revision };
  },
  toJson: (state) => [
    state.lastRevision,
    viewConfig(state) as unknown as Json,
    state.history.list() as unknown as Json,
  ],
  fromJson(json) {
    const [lastRevision, values, changes = []] = json as unknown as [number, ConfigView[], Change[]?];
    const history = new History();
    for (const change of changes) history.add(change);
    return {
      lastRevision,
      byName: new Map(values.map(({ name, value, revision }) => [name, { value, revision }])),
      history,
    };
  },
  skipAhead(state, count) {
    state.lastRevision += count;
  },
};

function isBelow(name: string, below: string | undefined): boolean {
  return below === undefined || name === below || name.startsWith(`${below}.`);
}

/** The kept changes, the oldest first, of the value `below` and of values under it (`below.…`); without it, of all. */
export function viewChanges(state: ConfigState, below?: string): Change[] {
  return state.history.list((name) => isBelow(name, below));
}

/** The value `below` and the values under it (`below.…`), by name; without it, all values. */
export function viewConfig(state: ConfigState, below?: string): ConfigView[] {
  return [...state.byName]
    .filter(([name]) => isBelow(name, below))
    .map(([name, { value, revision }]) => ({ name, value, revision }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
