// Workflows written as data, in YAML or JSON: the same primitives, log and errors as in TypeScript.
//
//   const { definition } = await loadDefinition(await readFile("order.yaml", "utf8"), "order.yaml");

export { checkGraph, childrenOf, type Surroundings } from "./check.ts";
export { callsOf, checkExpansion } from "./expansion.ts";
export type { Block, Graph, GraphFault, Node } from "./graph.ts";
export { drawGraph, drawRun } from "./mermaid.ts";
export { MAX_OBJECTIVE_LENGTH, OBJECTIVE_WORKFLOW, objectiveWorkflow } from "./objective.ts";
export {
  loadDefinition,
  MAX_DEFINITION_LENGTH,
  type ReadDefinition,
  readDefinition,
  readSource,
  type TextFault,
} from "./read.ts";
export { type ExpandOptions, expand } from "./run.ts";
export { definitionSchema } from "./schema.ts";
