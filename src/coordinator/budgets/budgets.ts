// The reducer of budgets: the money, tokens and calls that the whole swarm may use. Callers reserve an amount before
// they use it. Pure.
//
// B1  A reservation is granted only while spent + reserved + its own amount is within the limit, in every dimension.
// B2  Each reservation counts once, in the window of its end. A settled reservation counts the used amount, a
//     released one counts nothing, and an expired one (by log time) counts in full, because its holder may have used
//     it.
// B3  A window never begins twice: the time of a command counts only if it is later than the times of all earlier
//     commands.
//
// So the spent amount of one window exceeds the limit only by the amounts that holders used above their own reservations,
// for reservations that were open together. If no holder uses more than k times (k ≥ 1) its reservation, the spent amount
// is at most k times the limit.
import { z } from "zod";
import { type Json, tokenSchema } from "../../protocol/index.ts";
import { type Reducer, refuse } from "../reducer.ts";
import { leaseTicks } from "../time.ts";
import {
  type Amount,
  amountSchema,
  DIMENSIONS,
  fill,
  limitSchema,
  minus,
  NOTHING,
  type PartialAmount,
  plus,
  toShown,
} from "./amounts.ts";

/** The most budgets of one swarm. */
export const MAX_BUDGETS = 1_000;
/** The most open reservations of all budgets. */
export const MAX_RESERVATIONS = 10_000;
/** The longest reservation, in ms: a day. */
export const MAX_RESERVATION_MS = 86_400_000;

/** The lengths of windows, in ms since 1970, UTC. */
const WINDOWS_MS = { hour: 3_600_000, day: 86_400_000 } as const;
/** The names of the windows. At the start of each window, the spent amount starts again from zero. */
export const BUDGET_WINDOWS = Object.keys(WINDOWS_MS) as [BudgetWindow, ...BudgetWindow[]];
/** The name of a window. */
export type BudgetWindow = keyof typeof WINDOWS_MS;

/** The clock of the office's holder, in ms since 1970: it decides which window is current. */
const nowMs = z.int().min(0);
const reservation = z.int().min(1);

const commands = {
  /**
   * Sets the limits; the spent and reserved amounts do not change. A dimension without a limit is counted, but not
   * limited.
   */
  "budget-set": z.strictObject({
    type: z.literal("budget-set"),
    name: tokenSchema,
    limit: limitSchema.refine(
      (limit) => Object.keys(limit).length > 0,
      "must limit something: costUsd, tokens or calls",
    ),
    window: z.enum(BUDGET_WINDOWS).optional(),
    nowMs,
  }),
  "budget-remove": z.strictObject({ type: z.literal("budget-remove"), name: tokenSchema }),
  "budget-reserve": z.strictObject({
    type: z.literal("budget-reserve"),
    name: tokenSchema,
    amount: amountSchema,
    ttlMs: z.int().min(1).max(MAX_RESERVATION_MS),
    nowMs,
  }),
  /** Counts the used amount; a dimension that the caller leaves out counts as reserved. */
  "budget-settle": z.strictObject({
    type: z.literal("budget-settle"),
    reservation,
    actual: amountSchema,
    nowMs,
  }),
  /** Ends a reservation without use. */
  "budget-release": z.strictObject({ type: z.literal("budget-release"), reservation, nowMs }),
};

/** A command about budgets. */
export type BudgetCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

interface Budget {
  limit: PartialAmount;
  window: BudgetWindow | null;
  /** The number of the window of `spent`; 0 for a budget without windows. */
  windowNumber: number;
  spent: Amount;
  /** The sum of the open reservations. */
  reserved: Amount;
  /** The log time of the next possible expiry: no open reservation of this budget expires before it. */
  nextExpiry: number;
}

interface Reservation {
  readonly name: string;
  readonly amount: Amount;
  /** The log time at which the reservation expires, in ticks. */
  readonly expiresAt: number;
  /**
   * About the same moment by the clock of the commands, in ms since 1970. It selects the window that counts the expired
   * reservation.
   */
  readonly expiresMs: number;
}

/** All budgets. */
export interface Budgets {
  lastReservation: number;
  /** The latest time that a command carried (B3). */
  nowMs: number;
  readonly byName: Map<string, Budget>;
  /** The open reservations by their number. */
  readonly open: Map<number, Reservation>;
}

/** A budget as a reply shows it; a limit of null means that the dimension is unlimited. */
export interface BudgetView {
  name: string;
  limit: { [D in keyof Amount]: number | null };
  spent: Amount;
  reserved: Amount;
  window: BudgetWindow | null;
  /** When the window ends, in ms since 1970. */
  windowEndMs: number | null;
  reservations: number;
}

/** The reducer of budgets. */
export const budgets: Reducer<Budgets, BudgetCommand> = {
  commands,
  empty: () => ({ lastReservation: 0, nowMs: 0, byName: new Map(), open: new Map() }),
  decide(state, command, at) {
    if ("nowMs" in command) state.nowMs = Math.max(state.nowMs, command.nowMs); // B3
    switch (command.type) {
      case "budget-set":
        return setBudget(state, command, at);
      case "budget-remove":
        return removeBudget(state, command.name);
      case "budget-reserve":
        return reserve(state, command, at);
      case "budget-settle":
      case "budget-release": {
        const held = state.open.get(command.reservation);
        if (held !== undefined) bringUpToDate(state, held.name, at);
        const budget = state.open.has(command.reservation) ? state.byName.get(held!.name) : undefined;
        if (budget === undefined) return refuseEnded(command.reservation);
        close(state, budget, command.reservation);
        if (command.type === "budget-release") return { released: true };
        budget.spent = plus(budget.spent, fill(command.actual, held!.amount)); // B2
        return { settled: true };
      }
      default:
        return command satisfies never;
    }
  },
  toJson: ({ lastReservation, nowMs: latestMs, byName, open }) => [
    lastReservation,
    latestMs,
    [...byName]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { limit, window, windowNumber, spent }]) => [
        name,
        limit as Json,
        window,
        windowNumber,
        spent,
      ]),
    [...open]
      .sort(([a], [b]) => a - b)
      .map(([id, { name, amount, expiresAt, expiresMs }]) => [id, name, amount, expiresAt, expiresMs]),
  ],
  fromJson(json) {
    const [lastReservation, latestMs, saved, open] = json as unknown as [
      number,
      number,
      [string, PartialAmount, BudgetWindow | null, number, Amount][],
      [number, string, Amount, number, number][],
    ];
    const state: Budgets = { lastReservation, nowMs: latestMs, byName: new Map(), open: new Map() };
    for (const [name, limit, window, windowNumber, spent] of saved) {
      state.byName.set(name, { ...emptyBudget(limit, window), windowNumber, spent });
    }
    for (const [id, name, amount, expiresAt, expiresMs] of open) {
      hold(state, id, { name, amount, expiresAt, expiresMs });
    }
    return state;
  },
  skipAhead(state, count) {
    state.lastReservation += count;
  },
};

/** All budgets, as of log time `at` (ticks) and wall-clock time `clockMs`. */
export function viewBudgets(state: Budgets, at: number, clockMs: number): BudgetView[] {
  // A read must not change the state, so this function applies the passed time to a copy.
  const copy = budgets.fromJson(budgets.toJson(state));
  copy.nowMs = Math.max(copy.nowMs, clockMs);
  const counts = new Map<string, number>();
  for (const name of copy.byName.keys()) bringUpToDate(copy, name, at);
  for (const { name } of copy.open.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...copy.byName].map(([name, { limit, spent, reserved, window, windowNumber }]) => ({
    name,
    limit: {
      costUsd: limit.costUsd === undefined ? null : toShown(fill(limit, NOTHING)).costUsd,
      tokens: limit.tokens ?? null,
      calls: limit.calls ?? null,
    },
    spent: toShown(spent),
    reserved: toShown(reserved),
    window,
    windowEndMs: window === null ? null : (windowNumber + 1) * WINDOWS_MS[window],
    reservations: counts.get(name) ?? 0,
  }));
}

function emptyBudget(limit: PartialAmount, window: BudgetWindow | null): Budget {
  return { limit, window, windowNumber: 0, spent: NOTHING, reserved: NOTHING, nextExpiry: Infinity };
}

function windowNumberAt(window: BudgetWindow | null, ms: number): number {
  return window === null ? 0 : Math.floor(ms / WINDOWS_MS[window]);
}

function setBudget(state: Budgets, command: BudgetCommand & { type: "budget-set" }, at: number) {
  const { name, limit, window = null } = command;
  const budget = bringUpToDate(state, name, at) ?? emptyBudget(limit, window);
  if (!state.byName.has(name) && state.byName.size >= MAX_BUDGETS) {
    return refuse("conflict", `${MAX_BUDGETS} budgets are set already; remove some first`, "name");
  }
  budget.limit = limit;
  budget.window = window;
  budget.windowNumber = windowNumberAt(window, state.nowMs);
  state.byName.set(name, budget);
  return { name };
}

function removeBudget(state: Budgets, name: string) {
  if (!state.byName.delete(name)) return refuseUnknown(name);
  for (const [id, held] of state.open) if (held.name === name) state.open.delete(id);
  return { removed: true };
}

function reserve(state: Budgets, command: BudgetCommand & { type: "budget-reserve" }, at: number) {
  const { name, ttlMs } = command;
  const budget = bringUpToDate(state, name, at);
  if (budget === undefined) return refuseUnknown(name);
  const amount = fill(command.amount, NOTHING);
  for (const dimension of DIMENSIONS) {
    const limit = budget.limit[dimension];
    if (limit === undefined) continue;
    const field = `amount.${dimension}`;
    if (command.amount[dimension] === undefined) {
      return refuse(
        "conflict",
        `the budget ${name} limits ${dimension}: say how much of it to reserve`,
        field,
      );
    }
    const left = limit - budget.spent[dimension] - budget.reserved[dimension];
    if (amount[dimension] > left) return refuseExceeded(name, budget, { dimension, left, amount }); // B1
  }
  if (state.open.size >= MAX_RESERVATIONS)
    for (const each of state.byName.keys()) bringUpToDate(state, each, at);
  if (state.open.size >= MAX_RESERVATIONS) {
    return refuse("conflict", `${MAX_RESERVATIONS} reservations are open already; settle some first`, "name");
  }
  const id = ++state.lastReservation;
  hold(state, id, { name, amount, expiresAt: at + leaseTicks(ttlMs), expiresMs: state.nowMs + ttlMs });
  return { reserved: true, reservation: id };
}

/** Adds an open reservation to the state. */
function hold(state: Budgets, id: number, held: Reservation): void {
  const budget = state.byName.get(held.name)!;
  state.open.set(id, held);
  budget.reserved = plus(budget.reserved, held.amount);
  budget.nextExpiry = Math.min(budget.nextExpiry, held.expiresAt);
}

/** Removes an open reservation from the state, without counting it as spent. */
function close(state: Budgets, budget: Budget, id: number): void {
  budget.reserved = minus(budget.reserved, state.open.get(id)!.amount);
  state.open.delete(id);
}

/** Brings a budget to log time `at` and the latest command time: starts its window, counts expired reservations (B2). */
function bringUpToDate(state: Budgets, name: string, at: number): Budget | undefined {
  const budget = state.byName.get(name);
  if (budget === undefined) return undefined;
  const windowNumber = windowNumberAt(budget.window, state.nowMs);
  if (windowNumber > budget.windowNumber) {
    budget.windowNumber = windowNumber;
    budget.spent = NOTHING;
  }
  if (budget.nextExpiry > at) return budget;
  budget.nextExpiry = Infinity;
  for (const [id, held] of state.open) {
    if (held.name !== name) continue;
    if (held.expiresAt > at) {
      budget.nextExpiry = Math.min(budget.nextExpiry, held.expiresAt);
      continue;
    }
    close(state, budget, id);
    const isOfThisWindow = windowNumberAt(budget.window, held.expiresMs) >= windowNumber;
    if (isOfThisWindow) budget.spent = plus(budget.spent, held.amount);
  }
  return budget;
}

function refuseUnknown(name: string) {
  return refuse("not_found", `there is no budget ${name}; murmur budget ls shows all`, "name");
}

function refuseEnded(id: number) {
  return refuse(
    "conflict",
    `reservation ${id} is not open: it was settled or released, or it ran out and was counted in full`,
    "reservation",
  );
}

function refuseExceeded(
  name: string,
  budget: Budget,
  over: { dimension: (typeof DIMENSIONS)[number]; left: number; amount: Amount },
) {
  const { dimension, left, amount } = over;
  const show = (value: number) =>
    dimension === "costUsd" ? `${value / 1_000_000} USD` : `${value} ${dimension}`;
  const begins =
    budget.window === null
      ? "raise it with murmur budget set"
      : `it begins anew at ${new Date((budget.windowNumber + 1) * WINDOWS_MS[budget.window]).toISOString()}`;
  return refuse(
    "budget_exceeded",
    `the budget ${name} has ${show(Math.max(0, left))} left, ${show(amount[dimension])} was asked for; ${begins}`,
    `amount.${dimension}`,
  );
}
