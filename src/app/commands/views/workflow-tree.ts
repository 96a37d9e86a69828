// The steps of a run as a tree: the nodes of its definition with the steps that it ordered, and on one line the nodes that it has not
// reached. Pure.
import { printable, showDuration } from "../../cli/terminal.ts";
import type { RunReport } from "../../operations/workflow-report.ts";

type Step = RunReport["steps"][number];
type OutlineNode = RunReport["outline"][number];

/** The signs of the states of steps. */
const SIGNS: Readonly<Record<Step["state"], string>> = {
  open: "…",
  cancelling: "…",
  completed: "✔",
  failed: "✖",
  cancelled: "⊘",
  dropped: "⊘",
  undone: "↺",
  skipped: "↷",
};
/** The sign of a node that the run has not reached. */
const AHEAD = "·";
/** The most lines of the items of one map, or of the passes of one loop. */
const MAX_ITEM_LINES = 10;
/** The longest output in a line, in characters. */
const MAX_OUTPUT_LENGTH = 60;
/** The widest column of names, in characters: one long name must not move all facts aside. */
const MAX_NAME_WIDTH = 40;

/** A line of the tree with the lines below it. */
interface Branch {
  readonly label: string;
  readonly facts: string;
  readonly children: readonly Branch[];
}

/** A node with the nodes inside it. */
interface Nested {
  readonly node: OutlineNode;
  readonly inner: readonly Nested[];
}

/** The lines of the tree. `nowMs` counts the times of open steps. */
export function renderTree(report: RunReport, nowMs: number): string[] {
  const tree = new Tree(report, nowMs);
  const branches = tree.branches();
  const lines: { text: string; facts: string }[] = [];
  addLines(branches, "", lines);
  const widths = lines.filter(({ facts }) => facts !== "").map(({ text }) => text.length);
  const width = Math.min(MAX_NAME_WIDTH, Math.max(0, ...widths));
  return lines.map(({ text, facts }) => (facts === "" ? text : `${text.padEnd(width)}  ${facts}`));
}

function addLines(
  branches: readonly Branch[],
  indent: string,
  lines: { text: string; facts: string }[],
): void {
  for (const [index, { label, facts, children }] of branches.entries()) {
    const isLast = index === branches.length - 1;
    lines.push({ text: `${indent}${isLast ? "└" : "├"} ${label}`, facts });
    addLines(children, `${indent}${isLast ? "  " : "│ "}`, lines);
  }
}

class Tree {
  readonly #steps: ReadonlyMap<string, Step>;
  readonly #report: RunReport;
  readonly #nowMs: number;
  readonly #shown = new Set<string>();

  constructor(report: RunReport, nowMs: number) {
    this.#report = report;
    this.#nowMs = nowMs;
    this.#steps = new Map(report.steps.map((step) => [step.path, step]));
  }

  branches(): Branch[] {
    const { outline, waiting, blocked, steps } = this.#report;
    const nested = nest(outline);
    const isOver = waiting === undefined && blocked === undefined;
    const planned = this.#list(nested, !isOver);
    // Steps of no node: of code, of a cut outline, and compensations that did not complete.
    const left = steps.filter(({ path, kind, state }) => {
      if (this.#shown.has(path) || (kind === "undo" && state === "completed")) return false;
      return true;
    });
    return [...planned, ...this.#loose(left)];
  }

  /** Nodes one after the other. Nodes behind the last reached one are ahead; the others were passed by. */
  #list(nodes: readonly Nested[], showsAhead: boolean): Branch[] {
    const branches: Branch[] = [];
    const reached = nodes.map((each) => this.#isReached(each));
    const last = reached.lastIndexOf(true);
    for (const [index, each] of nodes.entries())
      if (reached[index] === true) branches.push(this.#branch(each));
    const ahead = nodes.slice(last + 1);
    if (showsAhead && ahead.length > 0)
      branches.push({
        label: ahead.map((each) => `${AHEAD} ${describeAhead(each)}`).join(" "),
        facts: "",
        children: [],
      });
    return branches;
  }

  #isReached({ node, inner }: Nested): boolean {
    if (this.#pathsOf(node).length > 0) return true;
    return inner.some((each) => this.#isReached(each));
  }

  /** The paths of the ordered steps that belong to a node itself. */
  #pathsOf({ name, kind }: OutlineNode): string[] {
    if (name === undefined) return [];
    if (kind === "map" || kind === "expand") {
      const isMapped = this.#report.maps.some(({ path }) => path === name);
      return isMapped ? [name] : [];
    }
    if (this.#steps.has(name)) return [name];
    const passes = new RegExp(`^${name.replaceAll(/[^A-Za-z0-9_-]/g, "")}(?:-\\d+)+$`);
    return [...this.#steps.keys()].filter((path) => passes.test(path));
  }

  #branch({ node, inner }: Nested): Branch {
    const { kind, name } = node;
    if (kind === "map" || kind === "expand") return this.#mapBranch(name ?? "-");
    const paths = this.#pathsOf(node);
    if (paths.length === 1) return this.#stepBranch(paths[0]!);
    if (paths.length > 1) return this.#passes(name ?? kind, paths);
    const children = this.#list(inner, kind === "parallel" || kind === "race");
    const below = this.#stepsBelow(inner);
    return { label: `${signOf(below)} ${name ?? kind}`, facts: this.#timeOf(below), children };
  }

  #stepBranch(path: string, label = path): Branch {
    this.#shown.add(path);
    const step = this.#steps.get(path)!;
    return { label: `${SIGNS[step.state]} ${label}`, facts: factsOf(step, this.#nowMs), children: [] };
  }

  /** A step inside a loop: one line for each pass. */
  #passes(name: string, paths: readonly string[]): Branch {
    const steps = paths.map((path) => this.#steps.get(path)!);
    const children = paths.slice(-MAX_ITEM_LINES).map((path) => this.#stepBranch(path));
    for (const path of paths) this.#shown.add(path);
    const more = paths.length > MAX_ITEM_LINES ? `${paths.length} passes, the last ${MAX_ITEM_LINES}` : "";
    return {
      label: `${signOf(steps)} ${name}`,
      facts: `${this.#timeOf(steps)}  ${more}`.trimEnd(),
      children,
    };
  }

  /** A map: its count, and the items that are open or failed, or the first ones. */
  #mapBranch(path: string): Branch {
    const { items = 0, ended = 0 } = this.#report.maps.find((map) => map.path === path) ?? {};
    const steps = [...this.#steps.values()].filter((step) => step.path.startsWith(`${path}/`));
    for (const step of steps) this.#shown.add(step.path);
    const inner = this.#report.maps.filter(({ path: other }) => other.startsWith(`${path}/`));
    const telling = steps.filter(({ kind, state }) => kind !== "undo" && state !== "completed");
    const shown = (telling.length > 0 ? telling : steps).slice(0, MAX_ITEM_LINES);
    const children = shown.map((step) => this.#stepBranch(step.path, step.path.slice(path.length + 1)));
    const more = steps.length - shown.length;
    return {
      label: `${ended === items ? signOf(steps) : "…"} ${path} ${ended}/${items}`,
      facts: [
        this.#timeOf(steps),
        inner.length > 0 ? `${inner.length} maps inside` : "",
        more > 0 ? `${more} steps not shown` : "",
      ]
        .filter((fact) => fact !== "")
        .join("  "),
      children,
    };
  }

  /** Steps that belong to no node of the outline, with the maps that they are in. */
  #loose(steps: readonly Step[]): Branch[] {
    const branches: Branch[] = [];
    for (const step of steps) {
      if (this.#shown.has(step.path)) continue;
      const map = this.#report.maps.find(
        ({ path }) => !path.includes("/") && step.path.startsWith(`${path}/`),
      );
      branches.push(map === undefined ? this.#stepBranch(step.path) : this.#mapBranch(map.path));
    }
    return branches;
  }

  #stepsBelow(nodes: readonly Nested[]): Step[] {
    return nodes.flatMap(({ node, inner }) => {
      const isMap = node.kind === "map" || node.kind === "expand";
      const own = isMap
        ? [...this.#steps.values()].filter(({ path }) => path.startsWith(`${node.name}/`))
        : this.#pathsOf(node).map((path) => this.#steps.get(path)!);
      return [...own, ...this.#stepsBelow(inner)];
    });
  }

  /** The time from the first order to the last end, or to now. */
  #timeOf(steps: readonly Step[]): string {
    if (steps.length === 0) return "";
    const beginMs = Math.min(...steps.map(({ orderedAt }) => Date.parse(orderedAt)));
    const endMs = Math.max(...steps.map((step) => endOf(step, this.#nowMs)));
    return showDuration(Math.max(0, endMs - beginMs));
  }
}

function nest(outline: readonly OutlineNode[]): Nested[] {
  const roots: (Nested & { inner: Nested[] })[] = [];
  const stack: (Nested & { inner: Nested[] })[] = [];
  for (const node of outline) {
    const nested = { node, inner: [] };
    stack.length = node.depth;
    const parent = stack[node.depth - 1];
    (parent === undefined ? roots : parent.inner).push(nested);
    stack[node.depth] = nested;
  }
  return roots;
}

function describeAhead({ node }: Nested): string {
  const name = node.name ?? node.kind;
  return node.pivot === true ? `${name} (pivot)` : name;
}

const endOf = ({ endedAt }: Step, nowMs: number) => (endedAt === undefined ? nowMs : Date.parse(endedAt));

/** The sign of steps together. */
function signOf(steps: readonly Step[]): string {
  const has = (...states: readonly Step["state"][]) => steps.some(({ state }) => states.includes(state));
  if (has("open", "cancelling")) return SIGNS.open;
  if (has("failed")) return SIGNS.failed;
  return has("completed", "undone", "skipped") || steps.length === 0 ? SIGNS.completed : SIGNS.cancelled;
}

function factsOf(step: Step, nowMs: number): string {
  const isTask = step.kind === "step" || step.kind === "undo";
  const facts = [
    showDuration(Math.max(0, endOf(step, nowMs) - Date.parse(step.orderedAt))),
    isTask ? step.call : step.kind === "child" ? `workflow ${step.call}` : step.kind,
    step.state === "cancelling" ? "is being cancelled" : undefined,
    step.error === undefined
      ? undefined
      : `${step.error.code}: ${shorten(step.error.message, MAX_OUTPUT_LENGTH)}`,
    step.output === undefined ? undefined : shorten(JSON.stringify(step.output), MAX_OUTPUT_LENGTH),
    step.undo === undefined ? undefined : `${step.state === "undone" ? "undone by" : "undo:"} ${step.undo}`,
    step.pivot === true ? "pivot" : undefined,
  ];
  return facts.filter((fact) => fact !== undefined).join("  ");
}

/** Foreign text on one line, cut at `length` characters. */
export function shorten(text: string, length: number): string {
  const plain = printable(text);
  return plain.length > length ? `${plain.slice(0, length - 1)}…` : plain;
}
