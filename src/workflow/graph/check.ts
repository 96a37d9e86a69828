// Judges a graph before it runs: names, references, types, capabilities, signals and children. Only certain faults are told. Pure.
//
// A step's value can be named by the steps after it, and not by a step that runs beside it. A step inside `if`, `try` or `race` may not have run when it
// is named; then `has(steps.name)` asks.
import {
  checkTemplate,
  findMismatch,
  hint,
  itemSchemaOf,
  type Place,
  rooted,
  type Schema,
  type Template,
} from "../expressions/index.ts";
import type { Block, Graph, GraphFault, Node } from "./graph.ts";

/** The things outside a definition that it is checked against. Without a part, nothing is told about it. */
export interface Surroundings {
  /** The capabilities that agents offer, with their schemas where they have them. */
  readonly capabilities?: ReadonlyMap<string, { input?: Schema | undefined; output?: Schema | undefined }>;
  /** The other workflows, with the workflows that each starts as children. */
  readonly workflows?: ReadonlyMap<string, { children: readonly string[]; input?: Schema | undefined }>;
}

/** The schema of an approval's value. */
const APPROVAL: Schema = {
  type: "object",
  properties: { by: { type: "string" }, proven: { type: "boolean" }, note: { type: "string" } },
  additionalProperties: false,
};
/** The schema of `error` in a `catch`. */
const FAILURE: Schema = {
  type: "object",
  properties: { code: { type: "string" }, message: { type: "string" }, path: { type: "string" } },
  additionalProperties: false,
};
const NULL: Schema = { type: "null" };
/** The schemas of a read of a shared value, and of a change. */
const SHARED_VALUE: Schema = {
  type: "object",
  properties: { value: true, revision: { type: "number" } },
  required: ["value", "revision"],
  additionalProperties: false,
};
const SHARED_REVISION: Schema = {
  type: "object",
  properties: { revision: { type: "number" } },
  required: ["revision"],
  additionalProperties: false,
};
/** The most loops inside each other: the number of each pass becomes a part of a step's name. */
const MAX_LOOPS_INSIDE = 4;

/** Finds all certain faults of a definition. */
export function checkGraph(graph: Graph, surroundings: Surroundings = {}): GraphFault[] {
  const checker = new Checker(graph.signals, surroundings);
  const context = checker.begin({ input: rooted(graph.input?.schema ?? true) });
  checker.names(graph.steps);
  checker.block(graph.steps, context);
  if (graph.output !== undefined) checker.template(graph.output, ["output"], context);
  checker.children(graph);
  return checker.faults;
}

/** Finds the faults of steps that a run adds: they see `input` and the steps so far only through their own texts. */
export function checkSteps(steps: Block, surroundings: Surroundings = {}): GraphFault[] {
  const checker = new Checker(new Map(), surroundings);
  checker.names(steps);
  checker.block(steps, checker.begin({ input: true }));
  return checker.faults;
}

/** The names of the workflows that a graph starts as children. */
export function childrenOf(block: Block): string[] {
  return block.flatMap((node) => [
    ...(node.kind === "child" ? [node.call] : []),
    ...innerBlocks(node).flatMap(childrenOf),
  ]);
}

/** The blocks inside a node. */
export function innerBlocks(node: Node): readonly Block[] {
  switch (node.kind) {
    case "parallel":
    case "race":
      return node.branches;
    case "if":
      return [node.whenTrue, node.whenFalse];
    case "map":
    case "loop":
      return [node.body];
    case "try":
      return [node.body, node.caught];
    default:
      return [];
  }
}

/** The values that can be named at a place. */
interface Context {
  /** `input`, `item`, `index`, `pass` and `error`. */
  readonly roots: Readonly<Record<string, Schema>>;
  /** The steps so far, and their schemas. */
  readonly steps: Record<string, Schema>;
  readonly loops: number;
}

/** The names of one scope. */
interface Names {
  readonly seen: Map<string, Place>;
  /** The names of steps inside loops. */
  readonly repeated: Set<string>;
  readonly isInLoop: boolean;
}

class Checker {
  readonly faults: GraphFault[] = [];
  readonly #signals: Graph["signals"];
  readonly #surroundings: Surroundings;
  #all = new Set<string>();

  constructor(signals: Graph["signals"], surroundings: Surroundings) {
    this.#signals = signals;
    this.#surroundings = surroundings;
  }

  begin(roots: Readonly<Record<string, Schema>>): Context {
    return { roots, steps: Object.create(null) as Record<string, Schema>, loops: 0 };
  }

  /** Tells the names that are used twice in one scope: the workflow, or one item of a map. */
  names(block: Block): void {
    const seen = new Map<string, Place>();
    const repeated = new Set<string>();
    this.#collect(block, { seen, repeated, isInLoop: false });
    for (const [name, place] of seen) {
      const stem = name.replace(/(?:-\d+)+$/, "");
      if (stem !== name && repeated.has(stem))
        this.#tell(place, `the name ${name} is also the name of a pass of step ${stem}; give it another one`);
    }
  }

  #collect(
    block: Block,
    scope: { seen: Map<string, Place>; repeated: Set<string>; isInLoop: boolean },
  ): void {
    for (const node of block) {
      if ("name" in node) {
        if (scope.seen.has(node.name))
          this.#tell(node.place, `the name ${node.name} is used twice; give each step its own`);
        scope.seen.set(node.name, node.place);
        if (scope.isInLoop) scope.repeated.add(node.name);
        this.#all.add(node.name);
      }
      if (node.kind === "map") this.names(node.body);
      else if (node.kind === "if") this.#collectEither([node.whenTrue, node.whenFalse], scope);
      else {
        const isInLoop = scope.isInLoop || node.kind === "loop";
        for (const inner of innerBlocks(node)) this.#collect(inner, { ...scope, isInLoop });
      }
    }
  }

  /** Collects the names of alternatives. Only one of them runs, so they may have the same names. */
  #collectEither(blocks: readonly Block[], scope: Names): void {
    const ends = blocks.map((block) => {
      const seen = new Map(scope.seen);
      this.#collect(block, { ...scope, seen });
      return seen;
    });
    for (const seen of ends) for (const [name, place] of seen) scope.seen.set(name, place);
  }

  /** Checks nodes one after the other. Returns the schema of the block's value: that of its last node. */
  block(block: Block, context: Context): Schema {
    let value: Schema = NULL;
    for (const node of block) {
      value = this.#node(node, context);
      if ("name" in node) context.steps[node.name] = value;
    }
    return value;
  }

  template(template: Template, place: Place, { roots, steps }: Context) {
    const scope = { ...roots, steps: { type: "object", properties: steps, additionalProperties: false } };
    return checkTemplate(template, scope, (fault) => {
      const name = /^steps has no field ([A-Za-z0-9_-]+)/.exec(fault.message)?.[1];
      const message =
        name !== undefined && this.#all.has(name)
          ? `step ${name} does not come before this place: it stands later, beside it, or inside a map`
          : fault.message;
      this.#tell([...place, ...fault.place], message, fault.at);
    });
  }

  children(graph: Graph): void {
    const { workflows } = this.#surroundings;
    if (workflows === undefined) return;
    const cycle = findCycle(graph.name, childrenOf(graph.steps), workflows);
    if (cycle !== null) this.#tell(["steps"], `the workflow starts itself as a child: ${cycle.join(" → ")}`);
  }

  #tell(place: Place, message: string, at?: number): void {
    this.faults.push({ place, message, ...(at === undefined ? {} : { at }) });
  }

  #test(test: Template, place: Place, context: Context): void {
    const mismatch = findMismatch(this.template(test, place, context), { type: "boolean" }, "the test");
    if (mismatch !== undefined) this.#tell(place, mismatch);
  }

  #node(node: Node, context: Context): Schema {
    const at = (...keys: Place): Place => [...node.place, ...keys];
    switch (node.kind) {
      case "step":
        return this.#step(node, context);
      case "child":
        return this.#child(node, context);
      case "parallel":
        this.#branches(node.branches, context);
        return NULL;
      case "race":
        return this.#branches(node.branches, context);
      case "if":
        this.#test(node.test, at("if"), context);
        return this.#branches([node.whenTrue, node.whenFalse], context);
      case "try": {
        const body = this.#inner(node.body, context);
        const caught = this.#inner(node.caught, { ...context, roots: { ...context.roots, error: FAILURE } });
        Object.assign(context.steps, body.steps, caught.steps);
        return { anyOf: [body.value, caught.value] };
      }
      case "map": {
        const list = this.template(node.over, at("over"), context);
        const mismatch = findMismatch(list, { type: "array" }, "over");
        if (mismatch !== undefined) this.#tell(at("over"), mismatch);
        const roots = { ...context.roots, item: itemSchemaOf(list), index: { type: "number" } };
        const { value } = this.#inner(node.body, { ...context, roots, loops: 0 });
        return { type: "array", items: node.tolerate === undefined ? value : settledSchema(value) };
      }
      case "loop": {
        if (context.loops >= MAX_LOOPS_INSIDE)
          this.#tell(node.place, `more than ${MAX_LOOPS_INSIDE} loops inside each other`);
        const roots = { ...context.roots, pass: { type: "number" } };
        // Test and steps also see the values of the pass before, which the first pass has not.
        const before = Object.fromEntries(namesIn(node.body).map((name) => [name, true as Schema]));
        const inner: Context = {
          ...context,
          roots,
          steps: { ...context.steps, ...before },
          loops: context.loops + 1,
        };
        const { value, steps } = this.#inner(node.body, inner);
        this.#test(node.test, at("while"), { ...inner, steps: { ...context.steps, ...steps } });
        Object.assign(context.steps, steps);
        return { anyOf: [value, NULL] };
      }
      case "sleep": {
        const mismatch = findMismatch(this.template(node.ms, at("ms"), context), { type: "number" }, "ms");
        if (mismatch !== undefined) this.#tell(at("ms"), mismatch);
        return NULL;
      }
      case "signal":
        return this.#signal(node);
      case "approval":
        return APPROVAL;
      case "shared":
        return this.#shared(node, context);
      case "expand":
        this.template(node.graph, at("graph"), context);
        for (const name of node.grants) this.#capability(name, at("grants"));
        return true;
      case "status":
        if (node.progress !== undefined) this.template(node.progress, at("status", "progress"), context);
        if (node.note !== undefined) this.template(node.note, at("status", "note"), context);
        return NULL;
      default:
        return node satisfies never;
    }
  }

  /** Checks a block whose steps are not seen by its neighbours. */
  #inner(block: Block, context: Context): { value: Schema; steps: Record<string, Schema> } {
    const steps = { ...context.steps };
    return { value: this.block(block, { ...context, steps }), steps };
  }

  /** Checks blocks that do not see each other; the nodes after them see the steps of all. Returns the schema of one of their values. */
  #branches(blocks: readonly Block[], context: Context): Schema {
    const ends = blocks.map((block) => this.#inner(block, context));
    for (const { steps } of ends) Object.assign(context.steps, steps);
    return { anyOf: ends.map(({ value }) => value) };
  }

  #step(node: Extract<Node, { kind: "step" }>, context: Context): Schema {
    const known = this.#capability(node.call, [...node.place, "call"]);
    this.#fits(node.input, known?.input, [...node.place, "with"], context);
    this.#undo(node, context);
    return rooted(node.output?.schema ?? known?.output ?? true);
  }

  #child(node: Extract<Node, { kind: "child" }>, context: Context): Schema {
    const { workflows } = this.#surroundings;
    const known = workflows?.get(node.call);
    if (workflows !== undefined && known === undefined)
      this.#tell(
        [...node.place, "workflow"],
        `there is no workflow ${node.call}${hint(node.call, [...workflows.keys()])}`,
      );
    this.#fits(node.input, known?.input, [...node.place, "with"], context);
    this.#undo(node, context);
    return rooted(node.output?.schema ?? true);
  }

  #shared({ set, revision, place }: Extract<Node, { kind: "shared" }>, context: Context): Schema {
    if (set === undefined) return { anyOf: [SHARED_VALUE, NULL] };
    this.template(set, [...place, "set"], context);
    if (revision !== undefined) {
      const found = this.template(revision, [...place, "revision"], context);
      const mismatch = findMismatch(found, { type: "number" }, "revision");
      if (mismatch !== undefined) this.#tell([...place, "revision"], mismatch);
    }
    return SHARED_REVISION;
  }

  #undo({ undo, place }: Extract<Node, { kind: "step" | "child" }>, context: Context): void {
    if (undo === undefined) return;
    this.#capability(undo.call, [...place, "undo", "call"]);
    if (undo.input !== undefined) this.template(undo.input, [...place, "undo", "with"], context);
  }

  #fits(template: Template | undefined, schema: Schema | undefined, place: Place, context: Context): void {
    if (template === undefined) return;
    const faults = this.faults.length;
    const shape = this.template(template, place, context);
    if (schema === undefined || this.faults.length > faults) return;
    const mismatch = findMismatch(shape, schema, "with");
    if (mismatch !== undefined) this.#tell(place, mismatch);
  }

  #capability(name: string, place: Place) {
    const { capabilities } = this.#surroundings;
    if (capabilities !== undefined && !capabilities.has(name))
      this.#tell(place, `no agent offers the capability ${name}${hint(name, [...capabilities.keys()])}`);
    return capabilities?.get(name);
  }

  #signal({ name, of = name, place }: Extract<Node, { kind: "signal" }>): Schema {
    const declared = this.#signals.get(of);
    if (declared === undefined)
      this.#tell(place, `the workflow declares no signal ${of}${hint(of, [...this.#signals.keys()])}`);
    return rooted(declared?.schema ?? true);
  }
}

/** The names of the steps of a block that its neighbours see: not those inside a map. */
function namesIn(block: Block): string[] {
  return block.flatMap((node) => [
    ...("name" in node ? [node.name] : []),
    ...(node.kind === "map" ? [] : innerBlocks(node).flatMap(namesIn)),
  ]);
}

/** The schema of one item of a map that tolerates failures. */
function settledSchema(value: Schema): Schema {
  return {
    type: "object",
    properties: { ok: { type: "boolean" }, value, error: FAILURE },
    additionalProperties: false,
  };
}

/** A way from a workflow back to itself by children, or null. */
function findCycle(
  name: string,
  children: readonly string[],
  workflows: NonNullable<Surroundings["workflows"]>,
): string[] | null {
  const before = new Map<string, string>(children.map((child) => [child, name]));
  for (const child of before.keys()) {
    if (child === name) break; // `keys()` also visits the names that the loop adds
    for (const next of workflows.get(child)?.children ?? []) if (!before.has(next)) before.set(next, child);
  }
  if (!before.has(name)) return null;
  const way = [name];
  for (let at = before.get(name)!; at !== name; at = before.get(at)!) way.unshift(at);
  return [name, ...way];
}
