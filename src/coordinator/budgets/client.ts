// Budgets from a program: the office's commands with their types.
//
//   const { reservation } = await budgets.reserve("models", { costUsd: 0.2, tokens: 8_000 }, { ttlMs: 60_000 });
//   … at most a minute of work, counted from before it was asked for …
//   await budgets.settle(reservation, { costUsd: 0.13, tokens: 6_210 });
import type { AskOptions, OfficeClient } from "../client.ts";
import type { BudgetView, BudgetWindow } from "./budgets.ts";

/** An amount: money in USD, tokens, calls. */
export interface BudgetAmount {
  costUsd?: number | null | undefined;
  tokens?: number | null | undefined;
  calls?: number | null | undefined;
}

/** The swarm's budgets. Every method throws SwarmError `unavailable` when no office confirms it in time. */
export interface BudgetClient {
  /** Sets the limits of a budget; what is spent and reserved stays. @throws SwarmError `invalid_input`. */
  set(
    name: string,
    budget: { limit: BudgetAmount; window?: BudgetWindow | undefined },
    options?: AskOptions,
  ): Promise<void>;
  /** Removes a budget with its reservations. @throws SwarmError `not_found`. */
  remove(name: string, options?: AskOptions): Promise<void>;
  /**
   * Reserves before something is used: every dimension that the budget limits must be named. When `ttlMs` is over the
   * whole of it counts as used.
   * @throws SwarmError `budget_exceeded` when not as much is left; `not_found`; `conflict`.
   */
  reserve(
    name: string,
    amount: BudgetAmount,
    options: AskOptions & { ttlMs: number },
  ): Promise<{ reservation: number }>;
  /**
   * Says what was used, which may be more than was reserved; what is not said counts as reserved.
   * @throws SwarmError `conflict` when the reservation is not open any more.
   */
  settle(reservation: number, actual: BudgetAmount, options?: AskOptions): Promise<void>;
  /** Nothing was used. @throws SwarmError `conflict` when the reservation is not open any more. */
  release(reservation: number, options?: AskOptions): Promise<void>;
  /** All budgets by name. */
  list(options?: AskOptions): Promise<BudgetView[]>;
}

/** A client of the swarm's budgets. */
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
