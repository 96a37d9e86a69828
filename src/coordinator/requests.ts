// The requests that the office answers on `<p>.office.<command>`: one table of all writes, reads and calls, with the
// type of each input and of each reply. Owns the shapes at the border; the reducers decide the writes. Pure.
import { z } from "zod";
import {
  type BallotOpenRequest,
  type Json,
  type PlaceReply,
  type PlaceRequest,
  parse,
  SwarmError,
  showValue,
} from "../protocol/index.ts";
import { type BallotPage, viewBallots, viewOpenBallots } from "./ballots/show/view.ts";
import type { BudgetAmount } from "./budgets/amounts.ts";
import { toBudgetFields } from "./budgets/border.ts";
import { type BudgetWindow, viewBudgets } from "./budgets/budgets.ts";
import { viewChanges, viewConfig } from "./config/config.ts";
import { type LockAcquireReply, viewLocks } from "./locks/locks.ts";
import { takePage } from "./pages.ts";
import { viewPauses } from "./pauses/pauses.ts";
import type { AgentPage, ShownAgent } from "./registry/view.ts";
import { type ScheduledRun, type ScheduledTask, viewSchedules } from "./schedules/schedules.ts";
import { firstTickMs, whenSchema } from "./schedules/ticks.ts";
import { type OfficeCommand, type OfficeState, officeCommands } from "./state.ts";

/** The longest idempotency key, in UTF-16 code units. */
export const MAX_KEY_LENGTH = 128;
/** The longest name of anything: eight tokens of 64 characters, joined by dots. */
const MAX_NAME_LENGTH = 8 * 64 + 7;

/**
 * Every write carries a key. The same key gets the same decision, as long as it is among the last 16,384 decided keys.
 * A caller that repeats a write after a lost answer repeats its key; a new intention needs a new key.
 */
const keySchema = z.string("a write needs a key").min(1).max(MAX_KEY_LENGTH);

/** Fields of a command that the office itself adds to the caller's request. */
const OWN_FIELDS = ["type", "nowMs", "nextMs"] as const;

/** The writes: requests that the office decides and stores. */
export const WRITES = [
  "lock-acquire",
  "lock-renew",
  "lock-release",
  "config-set",
  "schedule-set",
  "schedule-remove",
  "schedule-backfill",
  "budget-set",
  "budget-remove",
  "budget-reserve",
  "budget-settle",
  "budget-release",
  "capability-pause",
  "capability-resume",
] as const satisfies readonly OfficeCommand["type"][];
/** The name of a write. */
export type WriteName = (typeof WRITES)[number];

/** The fields of a command without the fields that the office adds. */
type FieldsOf<N extends OfficeCommand["type"]> = Omit<
  Extract<OfficeCommand, { type: N }>,
  (typeof OWN_FIELDS)[number]
>;

/**
 * Input and reply of every write. The client adds the key. A field of type `unknown` takes any JSON value, which the
 * office checks.
 */
interface Writes {
  "lock-acquire": { input: FieldsOf<"lock-acquire">; reply: LockAcquireReply };
  "lock-renew": { input: FieldsOf<"lock-renew">; reply: { renewed: true; token: number } };
  "lock-release": { input: FieldsOf<"lock-release">; reply: { released: true } };
  "config-set": {
    input: Omit<FieldsOf<"config-set">, "value"> & { value: unknown };
    reply: { name: string; revision: number };
  };
  "schedule-set": {
    input: {
      id: string;
      when: z.input<typeof whenSchema>;
      /** Exactly one of `task` and `run` is given. */
      task?: (Omit<ScheduledTask, "input"> & { input: unknown }) | undefined;
      run?: (Omit<ScheduledRun, "input"> & { input: unknown }) | undefined;
    };
    reply: { id: string; nextMs: number };
  };
  "schedule-remove": { input: FieldsOf<"schedule-remove">; reply: { removed: true } };
  "schedule-backfill": { input: FieldsOf<"schedule-backfill">; reply: { queued: number } };
  "budget-set": {
    input: { name: string; limit: BudgetAmount; window?: BudgetWindow | undefined };
    reply: { name: string };
  };
  "budget-remove": { input: FieldsOf<"budget-remove">; reply: { removed: true } };
  "budget-reserve": {
    input: { name: string; amount: BudgetAmount; ttlMs: number };
    reply: { reserved: true; reservation: number };
  };
  "budget-settle": { input: { reservation: number; actual: BudgetAmount }; reply: { settled: true } };
  "budget-release": { input: { reservation: number }; reply: { released: true } };
  "capability-pause": { input: FieldsOf<"capability-pause">; reply: { isChanged: boolean } };
  "capability-resume": { input: FieldsOf<"capability-resume">; reply: { isChanged: boolean } };
}

/** The calls: the holder answers them from more than its state, with its registry, its placement and its ballots. */
export const CALLS = [
  "agents",
  "agent",
  "place",
  "ballot-open",
  "ballot-decide",
  "ballot-correct",
  "ballot",
  "vacancies",
] as const;
/** The name of a call. */
export type CallName = (typeof CALLS)[number];

/** Input and reply of every call. */
interface Calls {
  agents: { input: { after?: string }; reply: AgentPage };
  agent: { input: { agent: string }; reply: ShownAgent };
  place: { input: PlaceRequest; reply: PlaceReply };
  "ballot-open": { input: BallotOpenRequest; reply: { opened: true } };
  "ballot-decide": {
    /** Either the number of a candidate or a value. */
    input: { id: string; by: string; choice?: number | undefined; value?: unknown };
    reply: { decided: true };
  };
  "ballot-correct": {
    input: { id: string; key: string; value: unknown };
    reply: { corrected: true; wasRight: boolean; isCounted: boolean };
  };
  ballot: { input: { id: string }; reply: BallotPage };
  /** The seats that wait for agents, by capability, of the ballots that hosts asked for lately. */
  vacancies: { input: Record<never, never>; reply: { vacancies: { capability: string; seats: number }[] } };
}

/** A page of a list: the items whose names come after the name `after`. */
const page = z.strictObject({ after: z.string().max(MAX_NAME_LENGTH).default("") });
/** The same, limited to the item with this name and to items whose names begin with it and a dot. */
const pageBelow = page.extend({ name: z.string().max(MAX_NAME_LENGTH).optional() });
/** Digits of the largest revision: padded to this length, revisions sort as texts in the order of the numbers. */
const REVISION_DIGITS = 16;
const nameOf = ({ name }: { name: string }) => name;

/** The reads: each has the schema of its request, and the reply that it makes of a state. */
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
  pauses: list("pauses", page, {
    nameOf: ({ capability }: { capability: string }) => capability,
    view: (state) => viewPauses(state.pauses),
  }),
  budgets: list("budgets", page, {
    nameOf,
    view: (state, _request, { at, nowMs }) => viewBudgets(state.budgets, at, nowMs),
  }),
  ballots: read(z.strictObject({ open: z.boolean().default(false) }), (state, { open }) => ({
    ballots: open ? viewOpenBallots(state.ballots) : viewBallots(state.ballots),
  })),
};

/** The name of a read. */
export type ReadName = keyof typeof reads;
/** The names of all reads. */
export const READS = Object.keys(reads) as ReadName[];
/** The requests about the office itself: to show its tenure, and to pass it on. */
export const OFFICE_ACTS = ["tenure", "transfer"] as const;
/** Input and reply of every read; the reply to the read of a list is one page. */
type Reads = {
  [N in ReadName]: {
    input: z.input<(typeof reads)[N]["schema"]>;
    reply: ReturnType<ReturnType<(typeof reads)[N]["prepare"]>>;
  };
};

/** The table of all requests. */
type Requests = Writes & Calls & Reads;
/** The name of a write, a read or a call. */
export type RequestName = keyof Requests;
/** The input of a request. */
export type RequestInput<N extends RequestName> = Requests[N]["input"];
/** The reply to a request. */
export type RequestReply<N extends RequestName> = Requests[N]["reply"];
/** The reply to a request with all pages of a list joined. */
export type WholeReply<N extends RequestName> = Omit<RequestReply<N>, "next">;

/** The moment of a read: log time, and the coordinator's clock in ms since 1970. */
interface Moment {
  readonly at: number;
  readonly nowMs: number;
}
/** Makes the reply to a read from a state. */
type Show<R extends object = object> = (state: OfficeState, moment: Moment) => R;
/** One read. */
interface Read<S extends z.ZodType, R extends object> {
  readonly schema: S;
  /** Checks the request, before anything is done for it. @throws SwarmError `invalid_input` naming the field. */
  readonly prepare: (body: unknown) => Show<R>;
}

function read<S extends z.ZodType, R extends object>(
  schema: S,
  show: (state: OfficeState, request: z.output<S>, moment: Moment) => R,
): Read<S, R> {
  return {
    schema,
    prepare(body) {
      const request = parse(schema, body, "the request");
      return (state, moment) => show(state, request, moment);
    },
  };
}

/** A list in the order of its items' names, page by page. */
function list<P extends string, S extends z.ZodType<{ after: string }>, T>(
  plural: P,
  schema: S,
  parts: {
    nameOf: (item: T) => string;
    view: (state: OfficeState, request: z.output<S>, moment: Moment) => readonly T[];
  },
) {
  return read(schema, (state, request, moment) => {
    const items = parts.view(state, request, moment);
    const rest = items.filter((item) => parts.nameOf(item) > request.after);
    const { items: taken, next } = takePage(rest, parts.nameOf);
    return { [plural]: taken, next } as Record<P, T[]> & { next: string | null };
  });
}

/** Finds a read by its name; undefined where there is none. The returned function checks the request. */
export function findRead(name: string): ((body: unknown) => Show) | undefined {
  return Object.hasOwn(reads, name) ? reads[name as ReadName].prepare : undefined;
}

/** The error for a name that is neither in `known` nor a read. */
export function unknownCommand(name: string, known: readonly string[] = []): SwarmError {
  const names = [...known, ...Object.keys(reads)].join(", ");
  return new SwarmError("not_found", `expected one of ${names}; got ${showValue(name.slice(0, 80))}`);
}

/** True for a command that callers outside the coordinators may send. */
export function isWrite(name: string): name is WriteName {
  return (WRITES as readonly string[]).includes(name);
}

/**
 * Reads a write as the caller sent it, at `nowMs` of the office's clock.
 * @throws SwarmError `invalid_input` naming the field.
 */
export function parseWrite(
  name: WriteName,
  body: unknown,
  nowMs: number,
): { key: string; command: OfficeCommand } {
  const { key } = parse(z.looseObject({ key: keySchema }), body, name);
  const { key: _key, ...given } = body as Record<string, unknown>;
  for (const field of OWN_FIELDS) {
    if (!Object.hasOwn(given, field)) continue;
    throw new SwarmError("invalid_input", `${name}: ${field}: the office sets this field; leave it out`, {
      field,
    });
  }
  const fields = name.startsWith("budget-") ? toBudgetFields(name, given, nowMs) : given;
  if (name === "config-set" || name === "capability-pause") fields.nowMs = nowMs;
  if (name === "schedule-set")
    fields.nextMs = firstTickMs(parse(whenSchema, fields.when, "schedule-set", "when"), nowMs);
  // Through JSON, so that the log gets exactly the value that its readers will parse.
  const plain = JSON.parse(JSON.stringify({ ...fields, type: name })) as Json;
  return { key, command: officeCommands.read(plain) };
}
