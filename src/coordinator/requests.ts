// What may be asked of the office on `<p>.office.<command>`: the table of its writes and reads. Owns the shapes at the
// border; how a write is decided is its reducer's. Pure.
import { z } from "zod";
import type { Json } from "../consensus/index.ts";
import { parse, SwarmError } from "../protocol/index.ts";
import { viewBallots } from "./ballots/view.ts";
import { toBudgetFields } from "./budgets/border.ts";
import { viewBudgets } from "./budgets/budgets.ts";
import { viewConfig } from "./config/config.ts";
import { viewLocks } from "./locks/locks.ts";
import { viewSchedules } from "./schedules/schedules.ts";
import { nextTickMs, whenSchema } from "./schedules/ticks.ts";
import { type OfficeCommand, type OfficeState, officeCommands } from "./state.ts";

/** The longest idempotency key, in UTF-16 code units. */
export const MAX_KEY_LENGTH = 128;

/**
 * Every write carries a key: the same key gets the same decision, as long as it is among the last 16,384 decided. Who
 * repeats a write after a lost answer repeats its key; a new intention needs a new one.
 */
const keySchema = z.string("a write needs a key").min(1).max(MAX_KEY_LENGTH);

/** Fields of commands that the office adds to what it is asked for. */
const OWN_FIELDS = ["type", "nowMs", "nextMs"] as const;

/** What the office can be asked to decide. */
export const WRITES = [
  "lock-acquire",
  "lock-renew",
  "lock-release",
  "config-set",
  "schedule-set",
  "schedule-remove",
  "budget-set",
  "budget-remove",
  "budget-reserve",
  "budget-settle",
  "budget-release",
] as const satisfies readonly OfficeCommand["type"][];
/** The name of a write. */
export type WriteName = (typeof WRITES)[number];

/** What may be looked at: how the request is read, and what it shows of a state. */
const reads = {
  locks: read(z.strictObject({}), (state, _request, at) => ({ locks: viewLocks(state.locks, at) })),
  config: read(z.strictObject({ name: z.string().max(512).optional() }), (state, { name }) => ({
    values: viewConfig(state.config, name),
  })),
  schedules: read(z.strictObject({}), (state) => ({ schedules: viewSchedules(state.schedules) })),
  ballots: read(z.strictObject({}), (state) => ({ ballots: viewBallots(state.ballots) })),
  budgets: read(z.strictObject({}), (state, _request, at, nowMs) => ({
    budgets: viewBudgets(state.budgets, at, nowMs),
  })),
};

/** What a read shows of a state at log time `at`, while the office's clock shows `nowMs`. */
type Show = (state: OfficeState, at: number, nowMs: number) => object;
/** Reads the request of a read, before anything is done for it. @throws SwarmError `invalid_input` naming the field. */
type Read = (body: unknown) => Show;

function read<S extends z.ZodType>(
  schema: S,
  show: (state: OfficeState, request: z.output<S>, at: number, nowMs: number) => object,
): Read {
  return (body) => {
    const request = parse(schema, body, "the request");
    return (state, at, nowMs) => show(state, request, at, nowMs);
  };
}

/** What the holder answers from more than its state: who lives (registry/), where a task shall run (placement/), ballots. */
export type AnswerName =
  | "agents"
  | "agent"
  | "place"
  | "ballot-open"
  | "ballot-decide"
  | "ballot-correct"
  | "ballot";

/** The name of a read. */
export type ReadName = keyof typeof reads;

/** Finds a read by its name. @throws SwarmError `not_found`. */
export function findRead(name: string): Read {
  if (Object.hasOwn(reads, name)) return reads[name as ReadName];
  throw new SwarmError(
    "not_found",
    `the office knows no command ${JSON.stringify(name.slice(0, 80))}; writes: ${WRITES.join(", ")}; reads: ${Object.keys(reads).join(", ")}`,
  );
}

/** True for a write that may be asked for from outside. */
export function isWrite(name: string): name is WriteName {
  return (WRITES as readonly string[]).includes(name);
}

/**
 * Reads a write as it was asked for, at `nowMs` of the office's clock.
 * @throws SwarmError `invalid_input` naming the field.
 */
export function parseWrite(
  name: WriteName,
  body: unknown,
  nowMs: number,
): { key: string; command: OfficeCommand } {
  const { key } = parse(z.looseObject({ key: keySchema }), body, name);
  const { key: _key, ...said } = body as Record<string, unknown>;
  for (const field of OWN_FIELDS) {
    if (!Object.hasOwn(said, field)) continue;
    throw new SwarmError("invalid_input", `${name}: ${field}: is the office's to say; leave it out`, {
      field,
    });
  }
  const fields = name.startsWith("budget-") ? toBudgetFields(name, said, nowMs) : said;
  if (name === "schedule-set") fields.nextMs = findFirstTick(fields.when, nowMs);
  // Through JSON: what goes into the log must be exactly what its readers will read.
  const plain = JSON.parse(JSON.stringify({ ...fields, type: name })) as Json;
  const parsed = officeCommands.parse(plain);
  if (!parsed.ok) throw new SwarmError("invalid_input", parsed.error, { field: parsed.error.split(": ")[1] });
  return { key, command: parsed.command };
}

function findFirstTick(when: unknown, nowMs: number): number {
  const tickMs = nextTickMs(parse(whenSchema, when, "schedule-set", "when"), nowMs);
  if (tickMs !== null) return tickMs;
  throw new SwarmError("invalid_input", "when must be a time that still comes", { field: "when" });
}
