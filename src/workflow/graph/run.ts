// Performs a graph with the primitives of define/: the same operations, names and order as the same workflow in TypeScript, so that
// both have the same log. Owns the values that expressions see at each place.
import { type Json, SwarmError } from "../../protocol/index.ts";
import { defineWorkflow, type WorkflowDefinition } from "../define/define.ts";
import { StepFailure } from "../define/failure.ts";
import type { Flow, Settled } from "../define/operations.ts";
import {
  all,
  approval,
  child,
  map,
  race,
  shared,
  signal,
  sleep,
  status,
  step,
} from "../define/primitives.ts";
import { fillTemplate, type Scope, type Template, TemplateError } from "../expressions/index.ts";
import { readExpansion, type Tree } from "./expansion.ts";
import type { Block, Graph, Node } from "./graph.ts";
import { isDelay, withoutUndefined } from "./parse.ts";

/** Makes the definition that engines run. `source` is its data. */
export function definitionOf(graph: Graph, source: Json): WorkflowDefinition {
  return Object.freeze({ ...codeOf(graph), source });
}

function codeOf(graph: Graph): WorkflowDefinition {
  const signals = Object.fromEntries([...graph.signals].map(([name, { type }]) => [name, type]));
  return defineWorkflow({
    name: graph.name,
    version: graph.version,
    description: graph.description,
    keepMs: graph.keepMs,
    ...(graph.input === undefined ? {} : { input: graph.input.type }),
    ...(graph.signals.size === 0 ? {} : { signals }),
    *run(input: unknown) {
      const context: Context = {
        scope: { input: (input ?? null) as Json },
        steps: {},
        suffix: "",
        tree: null,
      };
      yield* runBlock(graph.steps, context);
      return graph.output === undefined ? undefined : fill(graph.output, context, "output");
    },
  });
}

/** The options of {@link expand}. */
export interface ExpandOptions {
  /** The capabilities that the steps may call. */
  readonly grants: readonly string[];
  /** The values that expressions of the steps can name, beside the steps themselves; default none. */
  readonly scope?: Scope;
}

/** The place of a node in a run. */
interface Context {
  /** The values beside `steps`. */
  readonly scope: Scope;
  /** The values of the steps so far; steps add theirs. */
  readonly steps: Record<string, Json>;
  /** The passes of the enclosing loops: the end of the names of steps inside, such as `-2`. */
  readonly suffix: string;
  /** The expanded graphs that the node is in; null outside. */
  readonly tree: Tree | null;
}

/** Runs nodes one after the other. The value is that of the last node. */
function* runBlock(block: Block, context: Context): Flow<Json> {
  let value: Json = null;
  for (const node of block) {
    value = yield* runNode(node, context);
    if ("name" in node) context.steps[node.name] = value;
  }
  return value;
}

function* runNode(node: Node, context: Context): Flow<Json> {
  const name = "name" in node ? node.name + context.suffix : "";
  switch (node.kind) {
    case "step": {
      const { input, options } = orderOf(node, context);
      return toJson(yield* step(name, node.call, input, options));
    }
    case "child": {
      const { input, options } = orderOf(node, context);
      return toJson(yield* child(name, node.call, input, options));
    }
    case "parallel": {
      const flows = node.branches.map((branch) => runBlock(branch, context));
      yield* node.settle === "all" ? all(flows, { settle: "all" }) : all(flows);
      return null;
    }
    case "race":
      return yield* race(node.branches.map((branch) => runBlock(branch, context)));
    case "if":
      return yield* runBlock(isTrue(node.test, context, "if") ? node.whenTrue : node.whenFalse, context);
    case "map":
      return yield* runMap(node, name, context);
    case "loop":
      return yield* runLoop(node, context);
    case "sleep": {
      const ms = fill(node.ms, context, name);
      if (!isDelay(ms))
        throw invalid(name, `sleep ${name} takes a number of milliseconds, and ${JSON.stringify(ms)} came`);
      yield* sleep(name, ms);
      return null;
    }
    case "signal": {
      const { of = node.name, expiresMs } = node;
      return toJson(yield* signal(name, withoutUndefined({ of: of === name ? undefined : of, expiresMs })));
    }
    case "approval":
      return toJson(yield* approval(name, node.options));
    case "shared":
      return toJson(yield* runShared(node, name, context));
    case "expand":
      return yield* expandSteps(
        name,
        fill(node.graph, context, name),
        { grants: node.grants, scope: valuesOf(context) },
        context.tree,
      );
    case "try":
      return yield* runTry(node, context);
    case "status": {
      const { progress, note } = node;
      const fields = {
        progress: progress === undefined ? undefined : (fill(progress, context, "status") as number),
        note: note === undefined ? undefined : String(fill(note, context, "status")),
      };
      yield* status(withoutUndefined(fields));
      return null;
    }
    default:
      return node satisfies never;
  }
}

/**
 * Runs steps that are data: a list in the form of a definition in YAML. Returns the value of the last step. The steps have the path
 * `<name>/0/<step>`.
 * @throws SwarmError `invalid_input` naming the first faults; nothing of the graph has begun then.
 */
export function expand(name: string, graph: unknown, options: ExpandOptions): Flow<Json> {
  return expandSteps(name, graph, options, null);
}

/** As {@link expand}, inside the tree of an enclosing expanded graph. */
function* expandSteps(name: string, graph: unknown, options: ExpandOptions, outer: Tree | null): Flow<Json> {
  const [value] = yield* map(name, [graph], {}, (data) => {
    const tree: Tree = {
      depth: (outer?.depth ?? 0) + 1,
      grants: options.grants,
      count: outer?.count ?? { steps: 0 },
    };
    const steps = readExpansion(name, data, tree, outer);
    const { steps: before, ...scope } = options.scope ?? {};
    return runBlock(steps, { scope, steps: { ...(before as Record<string, Json>) }, suffix: "", tree });
  });
  return value ?? null;
}

/** The input and options of a step or child, with all expressions computed. */
function orderOf<N extends Extract<Node, { kind: "step" | "child" }>>(node: N, context: Context) {
  const input = node.input === undefined ? undefined : fill(node.input, context, node.name);
  const undo = node.undo && {
    call: node.undo.call,
    ...(node.undo.input === undefined ? {} : { with: fill(node.undo.input, context, node.name) }),
  };
  const options: N["options"] & { output?: never; undo?: never } = withoutUndefined({
    ...node.options,
    output: node.output?.type,
    undo,
  }) as never;
  return { input, options };
}

function* runMap(node: Extract<Node, { kind: "map" }>, name: string, context: Context): Flow<Json> {
  const items = fill(node.over, context, name);
  if (!Array.isArray(items))
    throw invalid(name, `map ${name} takes a list, and ${JSON.stringify(items)?.slice(0, 80)} came`);
  const each = (item: Json, index: number) =>
    runBlock(node.body, {
      ...context,
      scope: { ...context.scope, item, index },
      steps: { ...context.steps },
      suffix: "",
    });
  const { concurrency, tolerate } = node;
  const limits = withoutUndefined({ concurrency });
  if (tolerate === undefined) return yield* map(name, items as Json[], limits, each);
  const ends = yield* map(name, items as Json[], { ...limits, tolerate }, each);
  return ends.map(settledJson);
}

function settledJson(end: Settled<Json>): Json {
  return end.ok ? { ok: true, value: end.value } : { ok: false, error: failureJson(end.error) };
}

function* runLoop(node: Extract<Node, { kind: "loop" }>, context: Context): Flow<Json> {
  let value: Json = null;
  for (let pass = 0; ; pass++) {
    const inner = { ...context, scope: { ...context.scope, pass }, suffix: `${context.suffix}-${pass}` };
    if (!isTrue(node.test, inner, node.name)) return value;
    if (pass === node.max)
      throw invalid(
        node.name,
        `loop ${node.name} wanted more than its ${node.max} passes; raise max, or mend its test`,
      );
    value = yield* runBlock(node.body, inner);
  }
}

function* runShared(
  { key, set, revision }: Extract<Node, { kind: "shared" }>,
  name: string,
  context: Context,
): Flow<unknown> {
  if (set === undefined) return yield* shared(name, key);
  const expected = revision === undefined ? undefined : fill(revision, context, name);
  if (expected !== undefined && !(Number.isSafeInteger(expected) && (expected as number) >= 0))
    throw invalid(
      name,
      `shared ${name} takes a revision from 0, and ${JSON.stringify(expected).slice(0, 80)} came`,
    );
  return yield* shared(name, key, {
    set: fill(set, context, name),
    ...(expected === undefined ? {} : { revision: expected as number }),
  });
}

function* runTry(node: Extract<Node, { kind: "try" }>, context: Context): Flow<Json> {
  try {
    return yield* runBlock(node.body, context);
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    return yield* runBlock(node.caught, {
      ...context,
      scope: { ...context.scope, error: failureJson(error) },
    });
  }
}

function failureJson(error: Error): Json {
  const path = error instanceof StepFailure ? { path: error.path } : {};
  return { code: error instanceof SwarmError ? error.code : "internal", message: error.message, ...path };
}

function valuesOf({ scope, steps }: Context): Scope {
  return { ...scope, steps };
}

/** Computes a value with expressions. An expression without a value fails the step that it stands in. */
function fill(template: Template, context: Context, name: string): Json {
  try {
    return fillTemplate(template, valuesOf(context));
  } catch (error) {
    if (error instanceof TemplateError) throw invalid(name, `${name}: ${error.message}`, error);
    throw error;
  }
}

function isTrue(test: Template, context: Context, name: string): boolean {
  const value = fill(test, context, name);
  if (typeof value === "boolean") return value;
  throw invalid(name, `${name}: a test takes true or false, and ${JSON.stringify(value).slice(0, 80)} came`);
}

function invalid(field: string, message: string, cause?: Error): SwarmError {
  return new SwarmError("invalid_input", message, { field, ...(cause === undefined ? {} : { cause }) });
}

function toJson(value: unknown): Json {
  return (value ?? null) as Json;
}
