// The steps of a run as a tree: the path of a step names the maps and items around it. Pure.
import type { RunStep } from "./types.ts";

/** A place in the tree. A place without a step of its own only holds others. */
export interface Node {
  readonly name: string;
  readonly path: string;
  readonly step: RunStep | undefined;
  readonly children: readonly Node[];
}

interface Growing extends Node {
  step: RunStep | undefined;
  children: Growing[];
}

/** Makes the tree; places stand in the order of their first steps. */
export function makeTree(steps: readonly RunStep[]): Node[] {
  const roots: Growing[] = [];
  const known = new Map<string, Growing>();
  for (const step of steps) {
    const parts = step.path.split("/");
    let among = roots;
    for (const [at, name] of parts.entries()) {
      const path = parts.slice(0, at + 1).join("/");
      let node = known.get(path);
      if (node === undefined) {
        node = { name, path, step: undefined, children: [] };
        known.set(path, node);
        among.push(node);
      }
      if (at === parts.length - 1) node.step = step;
      among = node.children;
    }
  }
  return roots;
}
