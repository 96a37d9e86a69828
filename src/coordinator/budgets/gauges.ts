// The gauges murmur_budget_usd and murmur_budget_used_ratio: the money of all budgets together, and the used share of each budget, as the
// holder of the office sees them.
import { type Clock, type Meter, systemClock } from "../../base/index.ts";
import type { Office } from "../office/office.ts";
import { DIMENSIONS } from "./amounts.ts";
import { type BudgetView, viewBudgets } from "./budgets.ts";

/** Updates the gauges. Only the holder sets them, so that a sum over all coordinators counts each budget once. */
export function measureBudgets(office: Office, meter: Meter, clock: Clock = systemClock): void {
  if (office.tenure === null) {
    meter.budgetUsd.replace([]);
    meter.budgetUsed.replace([]);
    return;
  }
  const budgets = viewBudgets(office.state.budgets, office.logTime, clock.now());
  const sum = { limit: 0, spent: 0, reserved: 0 };
  for (const { limit, spent, reserved } of budgets) {
    sum.limit += limit.costUsd ?? 0;
    sum.spent += spent.costUsd;
    sum.reserved += reserved.costUsd;
  }
  meter.budgetUsd.replace(Object.entries(sum).map(([state, value]) => ({ labels: { state }, value })));
  meter.budgetUsed.replace(
    budgets.map((budget) => ({ labels: { budget: budget.name }, value: usedShare(budget) })),
  );
}

/** The used share of a budget in the dimension that is nearest to its limit. A limit of 0 is used up. */
function usedShare({ limit, spent, reserved }: Pick<BudgetView, "limit" | "spent" | "reserved">): number {
  const shares = DIMENSIONS.flatMap((dimension) => {
    const most = limit[dimension];
    if (most == null) return [];
    return [most === 0 ? 1 : (spent[dimension] + reserved[dimension]) / most];
  });
  return Math.max(0, ...shares);
}
