// The seam of the workflow room for its tests: parts that no other room needs.

export { Deadlines } from "./log/heap.ts";
export { dueWarning } from "./log/limits.ts";
