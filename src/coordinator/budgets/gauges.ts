// The gauge murmur_budget_usd: the limit, the spent and the reserved money of all budgets, as the holder of the office
// sees them.
import { type Clock, type Meter, systemClock } from "../../base/index.ts";
import type { Office } from "../office/office.ts";
import { viewBudgets } from "./budgets.ts";

/** Updates the gauge. Only the holder sets it, so that a sum over all coordinators counts each budget once. */
export function measureBudgets(office: Office, meter: Meter, clock: Clock = systemClock): void {
  if (office.tenure === null) {
    meter.budgetUsd.replace([]);
    return;
  }
  const sum = { limit: 0, spent: 0, reserved: 0 };
  for (const { limit, spent, reserved } of viewBudgets(office.state.budgets, office.logTime, clock.now())) {
    sum.limit += limit.costUsd ?? 0;
    sum.spent += spent.costUsd;
    sum.reserved += reserved.costUsd;
  }
  meter.budgetUsd.replace(Object.entries(sum).map(([state, value]) => ({ labels: { state }, value })));
}
