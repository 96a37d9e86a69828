// Values that the whole swarm shares: each with a revision, so that two who change it at once notice each other. Pure.
//
// C1  A revision is greater than every revision given before it, of any value, and is never given twice.

import { z } from "zod";
import type { Json } from "../../protocol/index.ts";
import { type Reducer, refuse } from "../reducer.ts";
import { type Change, History } from "./history.ts";

/** Values that one swarm holds. */
export const MAX_VALUES = 1_000;
/** The largest value, in characters of its JSON. */
export const MAX_VALUE_LENGTH = 16_384;
/** The longest name of who sets a value, in characters. */
const MAX_BY_LENGTH = 64;

/** Tokens joined by dots, at most eight: `review.model`. */
const nameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}$/,
    "must be tokens joined by dots, for example review.model",
  );

const commands = {
  /** Sets the value; null removes it. With `expectedRevision` only when that is its revision (0: it is absent). */
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
    /** Who sets it, for the history. */
    by: z.string().min(1).max(MAX_BY_LENGTH).optional(),
    /** The time of whoever holds the office, for the history. */
    nowMs: z.int().min(0).optional(),
  }),
};

/** A command about values. */
export type ConfigCommand = z.output<(typeof commands)["config-set"]>;

/** A value as it is shown. */
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
    return { name, revision }; // without the value: results are kept, and many large ones would be a lot
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

/** The last changes of the values whose name is `below` or begins with `below.`, of all without one; the oldest first. */
export function viewChanges(state: ConfigState, below?: string): Change[] {
  return state.history.list((name) => isBelow(name, below));
}

/** The values whose name is `below` or begins with `below.`, all without one; by name. */
export function viewConfig(state: ConfigState, below?: string): ConfigView[] {
  return [...state.byName]
    .filter(([name]) => isBelow(name, below))
    .map(([name, { value, revision }]) => ({ name, value, revision }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
