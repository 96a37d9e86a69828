// A workflow written as data: the parsed form of a definition in YAML or JSON. parse.ts makes it, check.ts judges it, and run.ts
// performs it with the same primitives that a definition in TypeScript uses.
import type { z } from "zod";
import type { ApprovalOptions, ChildOptions, StepOptions } from "../define/operations.ts";
import type { Place, Schema, Template } from "../expressions/index.ts";

/** A definition as data. */
export interface Graph {
  readonly name: string;
  readonly version: number;
  readonly description: string | undefined;
  readonly keepMs: number | undefined;
  readonly input: TypedSchema | undefined;
  readonly signals: ReadonlyMap<string, TypedSchema>;
  readonly steps: Block;
  /** The run's output; without it a run has none. */
  readonly output: Template | undefined;
}

/** A JSON Schema, and the zod schema that checks by it. */
export interface TypedSchema {
  readonly schema: Schema;
  readonly type: z.ZodType;
}

/** Nodes that run one after the other. */
export type Block = readonly Node[];

interface At {
  /** The way from the definition's root to the node. */
  readonly place: Place;
}

/** Fields of nodes that order a task or a child. */
interface Ordered extends At {
  readonly name: string;
  readonly call: string;
  readonly input: Template | undefined;
  readonly output: TypedSchema | undefined;
  readonly undo: { readonly call: string; readonly input: Template | undefined } | undefined;
}

/** One node of a definition. `name` is the node's name in `steps` and in the log. */
export type Node =
  | (Ordered & { readonly kind: "step"; readonly options: Omit<StepOptions<z.ZodType>, "output" | "undo"> })
  | (Ordered & { readonly kind: "child"; readonly options: Omit<ChildOptions<z.ZodType>, "output" | "undo"> })
  | (At & { readonly kind: "parallel"; readonly branches: readonly Block[]; readonly settle: "fast" | "all" })
  | (At & {
      readonly kind: "if";
      readonly test: Template;
      readonly whenTrue: Block;
      readonly whenFalse: Block;
    })
  | (At & {
      readonly kind: "map";
      readonly name: string;
      readonly over: Template;
      readonly concurrency: number | undefined;
      readonly tolerate: number | `${number}%` | undefined;
      readonly body: Block;
    })
  | (At & {
      readonly kind: "loop";
      readonly name: string;
      readonly max: number;
      readonly test: Template;
      readonly body: Block;
    })
  | (At & { readonly kind: "race"; readonly name: string; readonly branches: readonly Block[] })
  | (At & { readonly kind: "sleep"; readonly name: string; readonly ms: Template })
  | (At & {
      readonly kind: "signal";
      readonly name: string;
      readonly of: string | undefined;
      readonly expiresMs: number | undefined;
    })
  | (At & { readonly kind: "approval"; readonly name: string; readonly options: ApprovalOptions })
  | (At & {
      readonly kind: "shared";
      readonly name: string;
      readonly key: string;
      /** The new value; undefined for a read. */
      readonly set: Template | undefined;
      readonly revision: Template | undefined;
    })
  | (At & {
      readonly kind: "expand";
      readonly name: string;
      readonly graph: Template;
      readonly grants: readonly string[];
    })
  | (At & { readonly kind: "try"; readonly body: Block; readonly caught: Block })
  | (At & {
      readonly kind: "status";
      readonly progress: Template | undefined;
      readonly note: Template | undefined;
    });

/** A fault of a definition. `at` counts in the text at the place, when the fault is inside an expression. */
export interface GraphFault {
  readonly place: Place;
  readonly message: string;
  readonly at?: number;
}

/** The bounds of a definition. An expanded graph comes from a step, often from a model, and gets less. */
export interface GraphLimits {
  readonly steps: number;
  readonly depth: number;
  readonly fanOut: number;
  /** Whether schemas may have a `pattern`: a regular expression can run for ever, so only files of the operator may. */
  readonly patterns: boolean;
}

/** The bounds of a definition in a file: a larger one belongs into TypeScript, or into several workflows. */
export const FILE_LIMITS: GraphLimits = { steps: 1_000, depth: 16, fanOut: 10_000, patterns: true };
/** The bounds of a graph that a step made. */
export const EXPANDED_LIMITS: GraphLimits = { steps: 100, depth: 8, fanOut: 100, patterns: false };
/** The most steps that all graphs of one `expand` add, also the graphs inside them. */
export const MAX_TREE_STEPS = 500;
/** The deepest `expand` inside expanded graphs. */
export const MAX_EXPAND_DEPTH = 3;
/** The most passes of a loop. */
export const MAX_LOOP_PASSES = 1_000;
