// The order saga of docs/workflows.md, and agents that keep a ledger of their effects by key. Tests of several folders use them.
import { z } from "zod";
import { all, approval, defineWorkflow, map, step } from "../../src/workflow/index.ts";
import type { AgentCall, AgentFunction } from "../../src/workflow/testing/index.ts";

const Order = z.strictObject({
  id: z.string(),
  items: z.array(z.string()),
  total: z.number(),
  customer: z.string(),
});
const Risk = z.object({ level: z.enum(["low", "high"]) });

export const order = defineWorkflow({
  name: "order",
  version: 3,
  input: Order,
  *run({ id, items, total, customer }) {
    const [, risk] = yield* all([
      step("reserve", "stock-reserve", { id, items }, { undo: { call: "stock-release", with: { id } } }),
      step("risk", "risk-score", { customer }, { output: Risk }),
    ]);
    if (risk.level === "high" || total > 1000) {
      yield* approval("check", { by: ["ops"], expiresMs: 3_600_000 });
    }
    yield* step(
      "charge",
      "payment-charge",
      { id, total },
      { undo: { call: "payment-refund", with: { id } } },
    );
    const labels = yield* map("label", items, { concurrency: 20 }, (item) =>
      step("print", "label-print", item),
    );
    return yield* step("ship", "parcel-ship", { id, labels }, { pivot: true });
  },
});

export const orderInput = { id: "81", items: ["cup", "pot"], total: 120, customer: "ada" };

/** Agents of the order, and the effects that they had: by effect key, so that a repeated attempt has its effect once. */
export function orderAgents(overrides: Record<string, AgentFunction> = {}): {
  agents: Record<string, AgentFunction>;
  effects: Map<string, string>;
} {
  const effects = new Map<string, string>();
  const plain: Record<string, AgentFunction> = {
    "stock-reserve": () => ({ reserved: true }),
    "stock-release": () => null,
    "risk-score": () => ({ level: "low" }),
    "payment-charge": ({ total }: { total: number }) => ({ paid: total }),
    "payment-refund": () => null,
    "label-print": (item: string) => `label of ${item}`,
    "parcel-ship": ({ labels }: { labels: string[] }) => ({ parcel: labels.length }),
  };
  const agents = Object.fromEntries(
    Object.entries({ ...plain, ...overrides }).map(([name, agent]) => [
      name,
      (input: never, call: AgentCall) => {
        effects.set(call.key, name);
        return agent(input, call);
      },
    ]),
  );
  return { agents, effects };
}
