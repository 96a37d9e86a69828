// The order of docs/workflows.md: a saga that reserves, charges, prints and ships, and undoes all of it when it fails.
import { all, approval, defineWorkflow, map, step } from "murmur-swarm";
import { z } from "zod";

const Order = z.strictObject({
  id: z.string(),
  items: z.array(z.string()),
  total: z.number(),
  customer: z.string(),
});
const Risk = z.object({ level: z.enum(["low", "high"]) });

export default defineWorkflow({
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
