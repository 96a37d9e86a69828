// Makes a graph of a value: checks the fields of each node, reads all expressions and compiles all schemas. All faults are told at
// once, each with its place. Leaves names, references and types to check.ts.
import { z } from "zod";
import { nearest } from "../../base/index.ts";
import { findFaults, type Json, MAX_DELAY_MS } from "../../protocol/index.ts";
import {
  type Place,
  parseExpression,
  parseTemplate,
  type Schema,
  type Template,
} from "../expressions/index.ts";
import { definitionFields, NODE_FIELDS, type NodeKind } from "./fields.ts";
import type { Block, Graph, GraphFault, GraphLimits, Node, TypedSchema } from "./graph.ts";

/** A graph, and the faults that were found. With faults the graph is not complete and must not run. */
export interface ParsedGraph {
  readonly graph: Graph | null;
  readonly faults: readonly GraphFault[];
}

/** Reads a whole definition. */
export function parseGraph(value: unknown, limits: GraphLimits): ParsedGraph {
  if (isTooDeep(value)) return { graph: null, faults: [TOO_DEEP] };
  const parser = new Parser(limits);
  const fields = parser.fieldsOf(definitionFields, value, []);
  if (fields === null) return { graph: null, faults: parser.faults };
  const { workflow: name, version, description, keepMs, input, signals = {}, steps, output } = fields;
  const graph: Graph = {
    name,
    version,
    description,
    keepMs,
    input: parser.schema(input, ["input"]),
    signals: new Map(
      Object.entries(signals).flatMap(([signal, schema]) => {
        const typed = parser.schema(schema, ["signals", signal]);
        return typed === undefined ? [] : [[signal, typed] as const];
      }),
    ),
    steps: parser.block(steps, ["steps"], 0),
    output: output === undefined ? undefined : parser.template(output, ["output"]),
  };
  return { graph, faults: parser.faults };
}

/** Reads a list of steps, as `expand` gets it. */
export function parseSteps(
  value: unknown,
  limits: GraphLimits,
): { steps: Block; faults: readonly GraphFault[] } {
  if (isTooDeep(value)) return { steps: [], faults: [TOO_DEEP] };
  const parser = new Parser(limits);
  if (!Array.isArray(value)) parser.tell([], "must be a list of steps");
  return { steps: Array.isArray(value) ? parser.block(value, [], 0) : [], faults: parser.faults };
}

/** The faults that are told; a definition with more is another file. */
const MAX_FAULTS = 100;

class Parser {
  readonly faults: GraphFault[] = [];
  readonly #limits: GraphLimits;
  #steps = 0;

  constructor(limits: GraphLimits) {
    this.#limits = limits;
  }

  tell(place: Place, message: string, at?: number): void {
    if (this.faults.length < MAX_FAULTS)
      this.faults.push({ place, message, ...(at === undefined ? {} : { at }) });
  }

  /** Checks the fields of an object, and returns them as they are, without defaults; null after a fault. */
  fieldsOf<S extends z.ZodObject>(schema: S, value: unknown, place: Place): z.input<S> | null {
    if (schema.safeParse(value).success) return value as z.input<S>;
    for (const { field, text, known } of findFaults(schema, value)) {
      const inner = field === "" ? [] : field.split(".");
      const name = inner.at(-1) ?? "";
      const meant = known === undefined ? undefined : nearest(name, known);
      const hint =
        known === undefined
          ? ""
          : meant === undefined
            ? `; known: ${known.join(", ")}`
            : `; did you mean ${meant}?`;
      this.tell([...place, ...inner], `${inner.join(".")}${inner.length > 0 ? " " : ""}${text}${hint}`);
    }
    return null;
  }

  block(value: unknown, place: Place, depth: number): Block {
    const list = Array.isArray(value) ? value : [value];
    const isList = Array.isArray(value);
    if (list.length === 0) return [];
    if (depth > this.#limits.depth) {
      this.tell(place, `is nested deeper than ${this.#limits.depth} levels`);
      return [];
    }
    return list.flatMap(
      (node: unknown, index) => this.#node(node, isList ? [...place, index] : place, depth) ?? [],
    );
  }

  schema(value: boolean | object | undefined, place: Place): TypedSchema | undefined {
    if (value === undefined) return undefined;
    if (!this.#limits.patterns && hasPattern(value)) {
      this.tell(place, "a schema of an expanded graph must not have a pattern");
      return undefined;
    }
    try {
      const schema = value as Schema;
      return { schema, type: z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]) };
    } catch (error) {
      this.tell(place, `is not a JSON Schema that is supported: ${(error as Error).message}`);
      return undefined;
    }
  }

  template(value: unknown, place: Place): Template {
    const { template, faults } = parseTemplate(value as Json);
    for (const fault of faults) this.tell([...place, ...fault.place], fault.message, fault.at);
    return template;
  }

  /** A test: the author may write the expression with or without `${}`. */
  #test(text: string, place: Place): Template {
    if (text.includes("${")) return this.template(text, place);
    const parsed = parseExpression(text);
    if (parsed.ok) return { kind: "value", expression: parsed.expression, text };
    this.tell(place, parsed.fault.message, parsed.fault.at);
    return { kind: "fixed", value: null };
  }

  #node(value: unknown, place: Place, depth: number): Node | null {
    const kind = this.#kindOf(value, place);
    if (kind === null) return null;
    if (++this.#steps > this.#limits.steps) {
      if (this.#steps === this.#limits.steps + 1)
        this.tell(place, `has more than ${this.#limits.steps} steps`);
      return null;
    }
    return this.#read[kind](value, place, depth);
  }

  #kindOf(value: unknown, place: Place): NodeKind | null {
    const kinds = Object.keys(NODE_FIELDS) as NodeKind[];
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.tell(place, `must be a step: an object with one of ${kinds.join(", ")}`);
      return null;
    }
    const found = kinds.filter((kind) => Object.hasOwn(value, kind));
    if (found.length === 1) return found[0]!;
    const names = Object.keys(value);
    const meant = names.map((name) => nearest(name, kinds)).find((kind) => kind !== undefined);
    const hint = meant === undefined ? `one of ${kinds.join(", ")}` : `did you mean ${meant}?`;
    if (found.length > 1) this.tell(place, `is both ${found.join(" and ")}; make two steps of it`);
    else
      this.tell(
        place,
        `is no step that is known, with the fields ${names.slice(0, 10).join(", ") || "none"}; ${hint}`,
      );
    return null;
  }

  #branches(value: readonly unknown[], place: Place, depth: number): Block[] {
    if (value.length > this.#limits.fanOut) this.tell(place, `has more than ${this.#limits.fanOut} branches`);
    return value
      .slice(0, this.#limits.fanOut)
      .map((branch, index) => this.block(branch, [...place, index], depth + 1));
  }

  #undo(undo: { call: string; with?: unknown } | undefined, place: Place) {
    if (undo === undefined) return undefined;
    const input = undo.with === undefined ? undefined : this.template(undo.with, [...place, "undo", "with"]);
    return { call: undo.call, input };
  }

  #input(value: unknown, place: Place): Template | undefined {
    return value === undefined ? undefined : this.template(value, [...place, "with"]);
  }

  /** The reader of each kind; null after a fault. */
  readonly #read: { [K in NodeKind]: (value: unknown, place: Place, depth: number) => Node | null } = {
    step: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.step, value, place);
      if (fields === null) return null;
      const { step: name, call, with: input, output, undo, ...options } = fields;
      if (undo !== undefined && options.pivot === true)
        this.tell(place, `step ${name} cannot have both undo and pivot: after a pivot nothing is undone`);
      return {
        kind: "step",
        place,
        name,
        call,
        input: this.#input(input, place),
        output: this.schema(output, [...place, "output"]),
        undo: this.#undo(undo, place),
        options: withoutUndefined(options),
      };
    },
    child: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.child, value, place);
      if (fields === null) return null;
      const { child: name, workflow: call, with: input, output, undo, ...options } = fields;
      return {
        kind: "child",
        place,
        name,
        call,
        input: this.#input(input, place),
        output: this.schema(output, [...place, "output"]),
        undo: this.#undo(undo, place),
        options: withoutUndefined(options),
      };
    },
    parallel: (value, place, depth) => {
      const fields = this.fieldsOf(NODE_FIELDS.parallel, value, place);
      if (fields === null) return null;
      const branches = this.#branches(fields.parallel, [...place, "parallel"], depth);
      return { kind: "parallel", place, branches, settle: fields.settle ?? "fast" };
    },
    if: (value, place, depth) => {
      const fields = this.fieldsOf(NODE_FIELDS.if, value, place);
      if (fields === null) return null;
      return {
        kind: "if",
        place,
        test: this.#test(fields.if, [...place, "if"]),
        whenTrue: this.block(fields.then, [...place, "then"], depth + 1),
        whenFalse: this.block(fields.else ?? [], [...place, "else"], depth + 1),
      };
    },
    map: (value, place, depth) => {
      const fields = this.fieldsOf(NODE_FIELDS.map, value, place);
      if (fields === null) return null;
      const { map: name, over, concurrency, tolerate } = fields;
      return {
        kind: "map",
        place,
        name,
        over: this.template(over, [...place, "over"]),
        concurrency,
        tolerate: tolerate as number | `${number}%` | undefined,
        body: this.block(fields.do, [...place, "do"], depth + 1),
      };
    },
    loop: (value, place, depth) => {
      const fields = this.fieldsOf(NODE_FIELDS.loop, value, place);
      if (fields === null) return null;
      const { loop: name, max } = fields;
      return {
        kind: "loop",
        place,
        name,
        max,
        test: this.#test(fields.while, [...place, "while"]),
        body: this.block(fields.do, [...place, "do"], depth + 1),
      };
    },
    race: (value, place, depth) => {
      const fields = this.fieldsOf(NODE_FIELDS.race, value, place);
      if (fields === null) return null;
      return {
        kind: "race",
        place,
        name: fields.race,
        branches: this.#branches(fields.of, [...place, "of"], depth),
      };
    },
    sleep: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.sleep, value, place);
      if (fields === null) return null;
      const ms = this.template(fields.ms, [...place, "ms"]);
      if (ms.kind === "fixed" && !isDelay(ms.value))
        this.tell(
          [...place, "ms"],
          `ms must be a number of milliseconds from 0 to ${MAX_DELAY_MS}, or an expression`,
        );
      return { kind: "sleep", place, name: fields.sleep, ms };
    },
    signal: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.signal, value, place);
      if (fields === null) return null;
      return { kind: "signal", place, name: fields.signal, of: fields.of, expiresMs: fields.expiresMs };
    },
    approval: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.approval, value, place);
      if (fields === null) return null;
      const { approval: name, ...options } = fields;
      return { kind: "approval", place, name, options: withoutUndefined(options) };
    },
    shared: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.shared, value, place);
      if (fields === null) return null;
      const { shared: name, key, set, revision } = fields;
      if (revision !== undefined && set === undefined)
        this.tell([...place, "revision"], `shared ${name}: revision belongs to set`);
      const of = (field: string, found: unknown) =>
        found === undefined ? undefined : this.template(found, [...place, field]);
      return { kind: "shared", place, name, key, set: of("set", set), revision: of("revision", revision) };
    },
    expand: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.expand, value, place);
      if (fields === null) return null;
      const { expand: name, graph, grants } = fields;
      return { kind: "expand", place, name, graph: this.template(graph, [...place, "graph"]), grants };
    },
    try: (value, place, depth) => {
      const fields = this.fieldsOf(NODE_FIELDS.try, value, place);
      if (fields === null) return null;
      return {
        kind: "try",
        place,
        body: this.block(fields.try, [...place, "try"], depth + 1),
        caught: this.block(fields.catch, [...place, "catch"], depth + 1),
      };
    },
    status: (value, place) => {
      const fields = this.fieldsOf(NODE_FIELDS.status, value, place);
      if (fields === null) return null;
      const { progress, note } = fields.status;
      const of = (field: string, found: unknown) =>
        found === undefined ? undefined : this.template(found, [...place, "status", field]);
      return { kind: "status", place, progress: of("progress", progress), note: of("note", note) };
    },
  };
}

/** True for a wait in ms that a run can have. */
export function isDelay(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MAX_DELAY_MS;
}

/** Removes fields whose value is undefined, so that options look the same as an author's in TypeScript. */
export function withoutUndefined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

/** True when a schema has a `pattern` or `patternProperties`. Names of properties and definitions are no keywords. */
function hasPattern(schema: unknown, isNames = false): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  return Object.entries(schema).some(([key, value]) => {
    if (!isNames && (key === "pattern" || key === "patternProperties")) return true;
    return hasPattern(value, !isNames && (key === "properties" || key === "$defs"));
  });
}

/** The deepest value that is read. Everything behind this check may call itself once for each level. */
const MAX_VALUE_DEPTH = 100;

/** True when lists and objects nest deeper than {@link MAX_VALUE_DEPTH}. Does not go deeper itself. */
function isTooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth >= MAX_VALUE_DEPTH || Object.values(value).some((inner) => isTooDeep(inner, depth + 1));
}

const TOO_DEEP: GraphFault = { place: [], message: `is nested deeper than ${MAX_VALUE_DEPTH} levels` };
