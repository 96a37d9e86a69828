// Draws a workflow as a Mermaid flowchart: a definition written as data with its branches and loops, or the steps of a run in the order of
// their orders. Pure.
import type { Fold } from "../log/fold.ts";
import type { Block, Graph, Node } from "./graph.ts";

/** The most nodes of a drawing: a larger one cannot be read. */
const MAX_DRAWN = 500;
/** The longest text of a node, in characters. */
const MAX_TEXT_LENGTH = 60;

/** The state of a step in a drawing of a run. */
export type DrawnState = "open" | "completed" | "failed" | "cancelled" | "undone";

/** The colours of the states. */
const STYLES: Readonly<Record<DrawnState, string>> = {
  open: "fill:#fff3cd,stroke:#b8860b,color:#000",
  completed: "fill:#d4edda,stroke:#2e7d32,color:#000",
  failed: "fill:#f8d7da,stroke:#b71c1c,color:#000",
  cancelled: "fill:#e2e3e5,stroke:#616161,color:#000",
  undone: "fill:#d6d8f0,stroke:#3949ab,color:#000",
};

/** Draws a definition. `fold`: a run of it, whose states colour the steps. */
export function drawGraph(graph: Graph, fold?: Fold): string {
  const drawing = new Drawing(fold);
  const start = drawing.node("start", `(["${label(`${graph.name} v${graph.version}`)}"])`);
  const ends = drawing.block(graph.steps, [{ from: start }]);
  drawing.join(ends, drawing.node("end", '(["end"])'));
  return drawing.text();
}

/** Draws the steps of a run that has no definition as data. Steps of one decision stand side by side. */
export function drawRun(fold: Fold): string {
  const drawing = new Drawing(fold);
  let before: Exit[] = [
    {
      from: drawing.node(
        "start",
        `(["${label(`${fold.begun?.name ?? fold.id} v${fold.begun?.version ?? 0}`)}"])`,
      ),
    },
  ];
  const groups = new Map<number, string[]>();
  for (const { path, entry, kind } of fold.ops.values()) {
    if (kind === "undo" || path.includes("/")) continue;
    groups.set(entry, [...(groups.get(entry) ?? []), path]);
  }
  for (const [path, items] of fold.maps) {
    const first = [...fold.ops.values()].find((op) => op.path.startsWith(`${path}/`));
    const entry = first?.entry ?? fold.entries;
    if (!path.includes("/")) groups.set(entry, [...(groups.get(entry) ?? []), `${path} × ${items}`]);
  }
  for (const [, paths] of [...groups].sort(([one], [other]) => one - other)) {
    const nodes = paths.map((path) => drawing.step(path, path, fold.ops.get(path)?.call));
    for (const node of nodes) drawing.join(before, node);
    before = nodes.map((from) => ({ from }));
  }
  drawing.join(before, drawing.node("end", '(["end"])'));
  return drawing.text();
}

/** A way out of a part of the drawing, with the text on its arrow. */
interface Exit {
  readonly from: string;
  readonly text?: string;
}

class Drawing {
  readonly #fold: Fold | undefined;
  readonly #lines: string[] = ["flowchart TD"];
  readonly #classes = new Map<DrawnState, string[]>();
  #count = 0;
  #cut = 0;

  constructor(fold: Fold | undefined) {
    this.#fold = fold;
  }

  /** Adds a node, and returns its id. Beyond the bound all nodes are one. */
  node(kind: string, shape: string): string {
    if (this.#count >= MAX_DRAWN && kind !== "end") {
      this.#cut++;
      return "more";
    }
    const id = kind === "start" || kind === "end" ? kind : `n${this.#count}`;
    this.#count++;
    this.#lines.push(`  ${id}${shape}`);
    return id;
  }

  /** Adds a step, coloured by its state in the run. */
  step(name: string, path: string, call: string | undefined): string {
    const id = this.node("step", `["${label(call === undefined ? name : `${name}: ${call}`)}"]`);
    const state = this.#stateOf(path);
    if (state !== undefined) this.#classes.set(state, [...(this.#classes.get(state) ?? []), id]);
    return id;
  }

  join(exits: readonly Exit[], to: string): void {
    for (const { from, text } of exits) {
      if (from === to) continue;
      this.#lines.push(`  ${from} -->${text === undefined ? "" : `|"${label(text)}"|`} ${to}`);
    }
  }

  /** Draws nodes one after the other, and returns the ways out of the last. */
  block(block: Block, before: readonly Exit[]): Exit[] {
    let exits = [...before];
    for (const node of block) exits = this.#draw(node, exits);
    return exits;
  }

  #draw(node: Node, before: readonly Exit[]): Exit[] {
    const enter = (id: string) => {
      this.join(before, id);
      return id;
    };
    switch (node.kind) {
      case "step": {
        const marks = [
          node.undo === undefined ? "" : ` ↺ ${node.undo.call}`,
          node.options.pivot === true ? " ⚑" : "",
        ];
        return [{ from: enter(this.step(node.name, node.name, `${node.call}${marks.join("")}`)) }];
      }
      case "child":
        return [{ from: enter(this.step(node.name, node.name, `workflow ${node.call}`)) }];
      case "sleep":
      case "signal":
      case "approval":
        return [{ from: enter(this.step(node.name, node.name, node.kind)) }];
      case "shared":
        return [{ from: enter(this.step(node.name, node.name, `shared ${node.key}`)) }];
      case "expand":
        return [{ from: enter(this.step(node.name, node.name, "added steps")) }];
      case "status":
        return [...before];
      case "if": {
        const test = enter(this.node("if", `{"${label(textOf(node.test))}"}`));
        return [
          ...this.block(node.whenTrue, [{ from: test, text: "yes" }]),
          ...this.block(node.whenFalse, [{ from: test, text: "no" }]),
        ];
      }
      case "parallel":
        return node.branches.flatMap((branch) => this.block(branch, before));
      case "race": {
        const begin = enter(this.node("race", `{{"${label(`${node.name}: the first`)}"}}`));
        return node.branches.flatMap((branch) => this.block(branch, [{ from: begin }]));
      }
      case "map":
      case "loop": {
        const text = node.kind === "map" ? `each of ${textOf(node.over)}` : `while ${textOf(node.test)}`;
        const begin = enter(this.node(node.kind, `[["${label(`${node.name}: ${text}`)}"]]`));
        this.join(this.block(node.body, [{ from: begin }]), begin);
        return [{ from: begin, text: "done" }];
      }
      case "try": {
        const body = this.block(node.body, before);
        const first = body[0]?.from ?? before[0]?.from;
        const caught = first === undefined ? [] : this.block(node.caught, [{ from: first, text: "failed" }]);
        return [...body, ...caught];
      }
      default:
        return node satisfies never;
    }
  }

  #stateOf(path: string): DrawnState | undefined {
    const op = this.#fold?.ops.get(path);
    if (op === undefined) return undefined;
    if (this.#fold?.undone.get(path) === "undone") return "undone";
    return op.outcome?.status ?? "open";
  }

  text(): string {
    const more = this.#cut === 0 ? [] : [`  more["and ${this.#cut} more"]`];
    const classes = [...this.#classes].flatMap(([state, ids]) => [
      `  classDef ${state} ${STYLES[state]}`,
      `  class ${ids.join(",")} ${state}`,
    ]);
    return [...this.#lines, ...more, ...classes].join("\n");
  }
}

/** A template or expression, for people. */
function textOf(template: { readonly kind: string; readonly text?: string }): string {
  return template.text ?? "a list";
}

/** A text inside quotes of Mermaid, which writes characters of its own as codes. */
function label(text: string): string {
  const short = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text;
  return short
    .replaceAll("#", "#35;")
    .replaceAll("&", "#amp;")
    .replaceAll('"', "#quot;")
    .replaceAll("<", "#lt;")
    .replaceAll(">", "#gt;")
    .replaceAll(/[\n\r`]/g, " ");
}
