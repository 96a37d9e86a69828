// What may be asked of the office on `<p>.office.<command>`: the table of its writes and reads. Owns the shapes at the
// border; how a write is decided is its reducer's. Pure.
import { z } from "zod";
import { type Json, parse, SwarmError, showValue } from "../protocol/index.ts";
import { viewBallots, viewOpenBallots } from "./ballots/show/view.ts";
import { toBudgetFields } from "./budgets/border.ts";
import { viewBudgets } from "./budgets/budgets.ts";
import { viewChanges, viewConfig } from "./config/config.ts";
import { viewLocks } from "./locks/locks.ts";
import { takePage } from "./pages.ts";
import { viewSchedules } from "./schedules/schedules.ts";
import { nextTickMs, whenSchema } from "./schedules/ticks.ts";
import { type OfficeCommand, type OfficeState, officeCommands } from "./state.ts";

/** The longest idempotency key, in UTF-16 code units. */
export const MAX_KEY_LENGTH = 128;
/** No name of anything is longer: eight tokens of 64 characters, joined by dots. */
const MAX_NAME_LENGTH = 8 * 64 + 7;

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

/** A page of a list: what stands behind the name `after`. */
const page = z.strictObject({ after: z.string().max(MAX_NAME_LENGTH).default("") });
/** The same of what has a name, or one that begins with it and a dot. */
const pageBelow = page.extend({ name: z.string().max(MAX_NAME_LENGTH).optional() });
/** Digits of the largest revision, so that texts have the order of numbers. */
const REVISION_DIGITS = 16;
const nameOf = ({ name }: { name: string }) => name;

/** What may be looked at: how the request is read, and what it shows of a state. */
const reads = {
  locks: list("locks", page, { nameOf, view: (state, _request, { at }) => viewLocks(state.locks, at) }),
  config: list("values", pageBelow, {
    nameOf,
    view: (state, { name }) => viewConfig(state.config, name),
  }),
  "config-history": list("changes", pageBelow, {
    nameOf: ({ revision }: { revision: number }) => String(revision).padStart(REVISION_DIGITS, "0"),
    view: (state, { name }) => viewChanges(state.config, name),
  }),
  schedules: list("schedules", page, {
    nameOf: ({ id }: { id: string }) => id,
    view: (state) => viewSchedules(state.schedules),
  }),
  budgets: list("budgets", page, {
    nameOf,
    view: (state, _request, { at, nowMs }) => viewBudgets(state.budgets, at, nowMs),
  }),
  ballots: read(z.strictObject({ open: z.boolean().default(false) }), (state, { open }) => ({
    ballots: open ? viewOpenBallots(state.ballots) : viewBallots(state.ballots),
  })),
};

/** When a state is looked at: log time, and the clock of whoever looks. */
interface Moment {
  readonly at: number;
  readonly nowMs: number;
}
/** What a read shows of a state. */
type Show = (state: OfficeState, moment: Moment) => object;
/** Reads the request of a read, before anything is done for it. @throws SwarmError `invalid_input` naming the field. */
type Read = (body: unknown) => Show;

function read<S extends z.ZodType>(
  schema: S,
  show: (state: OfficeState, request: z.output<S>, moment: Moment) => object,
): Read {
  return (body) => {
    const request = parse(schema, body, "the request");
    return (state, moment) => show(state, request, moment);
  };
}

/** A list in the order of its items' names, page by page. */
function list<S extends z.ZodType<{ after: string }>, T>(
  plural: string,
  schema: S,
  parts: {
    nameOf: (item: T) => string;
    view: (state: OfficeState, request: z.output<S>, moment: Moment) => readonly T[];
  },
): Read {
  return read(schema, (state, request, moment) => {
    const items = parts.view(state, request, moment);
    const behind = items.filter((item) => parts.nameOf(item) > request.after);
    const { items: taken, next } = takePage(behind, parts.nameOf);
    return { [plural]: taken, next };
  });
}

/** What the holder answers from more than its state: who lives (registry/), where a task shall run (placement/), ballots. */
export const ANSWERS = [
  "agents",
  "agent",
  "place",
  "ballot-open",
  "ballot-decide",
  "ballot-correct",
  "ballot",
] as const;
/** The name of such a question. */
export type AnswerName = (typeof ANSWERS)[number];

/** The name of a read. */
export type ReadName = keyof typeof reads;

/** Finds a read by its name; undefined where there is none. */
export function findRead(name: string): Read | undefined {
  return Object.hasOwn(reads, name) ? reads[name as ReadName] : undefined;
}

/** Why a name is none of `known`, or of the reads. */
export function unknownCommand(name: string, known: readonly string[] = []): SwarmError {
  const names = [...known, ...Object.keys(reads)].join(", ");
  return new SwarmError("not_found", `expected one of ${names}; got ${showValue(name.slice(0, 80))}`);
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
  if (name === "config-set") fields.nowMs = nowMs;
  if (name === "schedule-set") fields.nextMs = findFirstTick(fields.when, nowMs);
  // Through JSON: what goes into the log must be exactly what its readers will read.
  const plain = JSON.parse(JSON.stringify({ ...fields, type: name })) as Json;
  return { key, command: officeCommands.read(plain) };
}

function findFirstTick(when: unknown, nowMs: number): number {
  const tickMs = nextTickMs(parse(whenSchema, when, "schedule-set", "when"), nowMs);
  if (tickMs !== null) return tickMs;
  throw new SwarmError("invalid_input", "when must be a time that still comes", { field: "when" });
}
