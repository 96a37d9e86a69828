// The budget client: programs set, reserve and settle budgets with its methods. Each method is one request to the
// office.
//
//   const { reservation } = await budgets.reserve("models", { costUsd: 0.2, tokens: 8_000 }, { ttlMs: 60_000 });
//   … work for at most `ttlMs`, counted from the moment before the call of `reserve` …
//   await budgets.settle(reservation, { costUsd: 0.13, tokens: 6_210 });
import type { AskOptions, OfficeClient } from "../client.ts";
import type { BudgetAmount } from "./amounts.ts";
import type { BudgetView, BudgetWindow } from "./budgets.ts";

/** The swarm's budgets. Every method throws SwarmError `unavailable` when no office confirms the request in time. */
export interface BudgetClient {
  /** Sets the limits of a budget; its spent and reserved amounts do not change. @throws SwarmError `invalid_input`. */
  set(
    name: string,
    budget: { limit: BudgetAmount; window?: BudgetWindow | undefined },
    options?: AskOptions,
  ): Promise<void>;
  /** Removes a budget with its reservations. @throws SwarmError `not_found`. */
  remove(name: string, options?: AskOptions): Promise<void>;
  /**
   * Reserves an amount before its use. The amount must name every dimension that the budget limits. A reservation that
   * is not settled or released within `ttlMs` expires, and its full amount counts as used.
   * @throws SwarmError `budget_exceeded` when less is left; `not_found`; `conflict`.
   */
  reserve(
    name: string,
    amount: BudgetAmount,
    options: AskOptions & { ttlMs: number },
  ): Promise<{ reservation: number }>;
  /**
   * Ends a reservation and counts the amount `actual`, which may exceed the reservation. For a dimension that `actual`
   * omits, the reserved amount counts.
   * @throws SwarmError `conflict` when the reservation is not open any more.
   */
  settle(reservation: number, actual: BudgetAmount, options?: AskOptions): Promise<void>;
  /** Ends a reservation and counts nothing. @throws SwarmError `conflict` when the reservation is not open any more. */
  release(reservation: number, options?: AskOptions): Promise<void>;
  /** All budgets by name. */
  list(options?: AskOptions): Promise<BudgetView[]>;
}

/** Makes a budget client over a client of the office. */
export function createBudgetClient(office: OfficeClient): BudgetClient {
  return {
    async set(name, { limit, window }, options) {
      await office.write("budget-set", { name, limit, window }, options);
    },
    async remove(name, options) {
      await office.write("budget-remove", { name }, options);
    },
    async reserve(name, amount, { ttlMs, ...options }) {
      const { reservation } = await office.write("budget-reserve", { name, amount, ttlMs }, options);
      return { reservation };
    },
    async settle(reservation, actual, options) {
      await office.write("budget-settle", { reservation, actual }, options);
    },
    async release(reservation, options) {
      await office.write("budget-release", { reservation }, options);
    },
    list: async (options) => (await office.read("budgets", {}, options)).budgets,
  };
}
