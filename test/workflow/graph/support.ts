import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The order saga of docs/workflows.md, written as data. */
export const ORDER = readFileSync(
  join(import.meta.dirname, "../../../examples/order-workflow/order.yaml"),
  "utf8",
);
