// Reads steps that a step made, such as a plan: as a file is read, with tighter bounds, and only with calls of granted capabilities.
import { SwarmError } from "../../protocol/index.ts";
import { checkSteps, innerBlocks, type Surroundings } from "./check.ts";
import {
  type Block,
  EXPANDED_LIMITS,
  type GraphFault,
  MAX_EXPAND_DEPTH,
  MAX_TREE_STEPS,
  type Node,
} from "./graph.ts";
import { parseSteps } from "./parse.ts";

/** The graphs that one `expand` leads to. The count is of one pass of the code, so that a replay counts alike. */
export interface Tree {
  readonly depth: number;
  readonly grants: readonly string[];
  readonly count: { steps: number };
}

/**
 * Reads the steps of an `expand`, and counts them in its tree.
 * @throws SwarmError `invalid_input` naming the first faults.
 */
export function readExpansion(name: string, data: unknown, tree: Tree, outer: Tree | null): Block {
  const { steps, faults } = parseSteps(data, EXPANDED_LIMITS);
  const all = faults.length > 0 ? faults : [...checkSteps(steps), ...findForbidden(steps, tree.grants)];
  if (all.length > 0) throw refused(name, all.map(showFault));
  const beyond =
    outer?.grants === undefined ? [] : tree.grants.filter((grant) => !outer.grants.includes(grant));
  if (beyond.length > 0)
    throw refused(name, [`grants ${beyond.join(", ")}, and the graph around it has no such grant`]);
  if (tree.depth > MAX_EXPAND_DEPTH)
    throw refused(name, [`expand inside expand is deeper than ${MAX_EXPAND_DEPTH}`]);
  tree.count.steps += countNodes(steps);
  if (tree.count.steps > MAX_TREE_STEPS)
    throw refused(name, [`all expanded graphs together have more than ${MAX_TREE_STEPS} steps`]);
  return steps;
}

/** The faults of steps that are to be run by `expand`, for people. `surroundings`: the capabilities that are known. */
export function checkExpansion(
  data: unknown,
  grants: readonly string[],
  surroundings: Surroundings = {},
): string[] {
  const { steps, faults } = parseSteps(data, EXPANDED_LIMITS);
  const all =
    faults.length > 0 ? faults : [...checkSteps(steps, surroundings), ...findForbidden(steps, grants)];
  return all.map(showFault);
}

/** The capabilities that steps call, with those of compensations, sorted. Faulty steps have none. */
export function callsOf(data: unknown): string[] {
  const { steps } = parseSteps(data, EXPANDED_LIMITS);
  const calls = (block: Block): string[] =>
    block.flatMap((node) => [
      ...(node.kind === "step" ? [node.call, ...(node.undo === undefined ? [] : [node.undo.call])] : []),
      ...innerBlocks(node).flatMap(calls),
    ]);
  return [...new Set(calls(steps))].sort();
}

/** Faults that only steps from data have: capabilities without a grant, and children. */
function findForbidden(block: Block, grants: readonly string[]): GraphFault[] {
  return block.flatMap((node) => [
    ...forbiddenIn(node, grants).map((message) => ({ place: node.place, message })),
    ...innerBlocks(node).flatMap((inner) => findForbidden(inner, grants)),
  ]);
}

function forbiddenIn(node: Node, grants: readonly string[]): string[] {
  if (node.kind === "child") return ["an expanded graph starts no child workflow"];
  if (node.kind === "signal") return ["an expanded graph awaits no signal"];
  const calls = node.kind === "step" ? [node.call, ...(node.undo === undefined ? [] : [node.undo.call])] : [];
  return calls
    .filter((call) => !grants.includes(call))
    .map((call) => `the capability ${call} is not granted; granted: ${grants.join(", ")}`);
}

function countNodes(block: Block): number {
  return block.reduce(
    (sum, node) => sum + 1 + innerBlocks(node).reduce((inner, next) => inner + countNodes(next), 0),
    0,
  );
}

/** The faults that an error names; the rest is counted. */
const SHOWN_FAULTS = 3;

function refused(name: string, faults: readonly string[]): SwarmError {
  const more = faults.length > SHOWN_FAULTS ? `; and ${faults.length - SHOWN_FAULTS} more` : "";
  const message = `the graph of ${name} is refused: ${faults.slice(0, SHOWN_FAULTS).join("; ")}${more}`;
  return new SwarmError("invalid_input", message, { field: name });
}

function showFault({ place, message }: GraphFault): string {
  return place.length === 0 ? message : `${place.join(".")}: ${message}`;
}
