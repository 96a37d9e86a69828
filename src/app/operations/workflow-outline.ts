// The outline of a run: the nodes of its definition in their order, with the nodes that it has not reached. A definition that is data has it; of
// code only the steps so far are known. Pure.
import { z } from "zod";
import type { Block, Node } from "../../workflow/index.ts";

/** The most nodes of an outline; a longer definition is cut, and its steps so far stand at the end. */
const MAX_OUTLINE = 500;

/** One node of an outline. */
export const outlineSchema = z.object({
  /** The number of nodes around it. */
  depth: z.int(),
  kind: z.enum([
    "step",
    "child",
    "sleep",
    "signal",
    "approval",
    "shared",
    "expand",
    "map",
    "loop",
    "parallel",
    "race",
    "if",
    "try",
  ]),
  /** The name of the step; `parallel`, `if` and `try` have none. */
  name: z.string().optional(),
  pivot: z.literal(true).optional(),
});

/** One node of an outline. */
export type OutlineNode = z.output<typeof outlineSchema>;

/** The outline of the steps of a definition. */
export function outlineOf(block: Block): OutlineNode[] {
  return listNodes(block, 0).slice(0, MAX_OUTLINE);
}

function listNodes(block: Block, depth: number): OutlineNode[] {
  return block.flatMap((node) => {
    if (node.kind === "status") return [];
    const inner = innerOf(node).flatMap((each) => listNodes(each, depth + 1));
    return [
      {
        depth,
        kind: node.kind,
        ...("name" in node ? { name: node.name } : {}),
        ...(node.kind === "step" && node.options.pivot === true ? { pivot: true as const } : {}),
      },
      ...inner,
    ];
  });
}

/** The blocks inside a node. The steps of a map are those of its items, which the run names. */
function innerOf(node: Node): readonly Block[] {
  switch (node.kind) {
    case "parallel":
    case "race":
      return node.branches;
    case "if":
      return [node.whenTrue, node.whenFalse];
    case "loop":
      return [node.body];
    case "try":
      return [node.body, node.caught];
    default:
      return [];
  }
}
