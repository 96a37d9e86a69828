// The agent of the order: one function for each capability. A real shop has one service behind each of them, which takes `ctx.key` as its
// idempotency key.
import { defineAgent, TerminalError } from "murmur-swarm";

const WORK: Readonly<Record<string, (input: never) => unknown>> = {
  "stock-reserve": ({ items }: { items: string[] }) => ({ reserved: items.length }),
  "stock-release": () => null,
  "risk-score": ({ customer }: { customer: string }) => ({ level: customer === "eve" ? "high" : "low" }),
  "payment-charge": ({ total }: { total: number }) => ({ paid: total }),
  "payment-refund": () => null,
  "label-print": (item: string) => `label of ${item}`,
  "parcel-ship": ({ labels }: { labels: string[] }) => {
    if (labels.includes("label of moon")) throw new TerminalError("no parcel service goes to the moon");
    return { labels: labels.length };
  },
};

export default defineAgent({
  name: "shop",
  description: "Does the work of the order workflow.",
  capabilities: Object.keys(WORK),
  run: (task) => WORK[task.capability]?.(task.input as never),
});
