// Defines a workflow: checks the author's options and makes the definition that engines run. Pure.
//
//   export default defineWorkflow({
//     name: "greet",
//     version: 1,
//     input: z.strictObject({ name: z.string() }),
//     *run({ name }) {
//       return yield* step("say", "greet", { name });
//     },
//   });
import { z } from "zod";
import { findFaults, type Json, nameSchema, parse, SwarmError } from "../../protocol/index.ts";
import type { Flow } from "./operations.ts";

/** The options of {@link defineWorkflow}. */
export interface WorkflowSpec<In extends z.ZodType, Out extends z.ZodType> {
  /** The name: one subject token. */
  name: string;
  /** The version: a whole number from 1. A run keeps the version that it started with. */
  version: number;
  description?: string | undefined;
  /** The schema of the input. A mismatch rejects the start: `invalid_input`, naming the field. */
  input?: In;
  /** The schema of the output. A mismatch is a bug of the workflow, so it blocks the run. */
  output?: Out;
  /** How long the log of an ended run is kept, in ms: 1 minute to 365 days; default 7 days. */
  keepMs?: number | undefined;
  /** The signals that a run accepts, with the schemas of their values. */
  signals?: Readonly<Record<string, z.ZodType>> | undefined;
  /**
   * The work, as a generator. It must not await, and reads no clock, chance, environment or network: these belong into steps.
   * A thrown `SwarmError`, such as a `TerminalError`, fails the run. Any other exception is a bug and blocks the run.
   */
  run(input: z.output<In>): Flow<z.input<Out>>;
}

const WORKFLOW_DEFINITION: unique symbol = Symbol.for("murmur.workflow-definition");

/** A checked workflow. Only {@link defineWorkflow} makes one. */
export interface WorkflowDefinition {
  readonly [WORKFLOW_DEFINITION]: true;
  readonly name: string;
  readonly version: number;
  readonly description: string | undefined;
  readonly input: z.ZodType | undefined;
  readonly output: z.ZodType | undefined;
  readonly signals: ReadonlyMap<string, z.ZodType>;
  /** How long the log of an ended run is kept, in ms; undefined: 7 days. */
  readonly keepMs: number | undefined;
  /** The definition as data, where it was written so: the log of a run keeps it. */
  readonly source: Json | undefined;
  readonly run: (input: unknown) => Flow<unknown>;
}

/** True for a value made by {@link defineWorkflow}, even if another copy of this package made it. */
export function isWorkflowDefinition(value: unknown): value is WorkflowDefinition {
  return typeof value === "object" && value !== null && WORKFLOW_DEFINITION in value;
}

/** The bounds of `keepMs`: an operator must have a moment to look, and no log is kept for ever. */
const MIN_KEEP_MS = 60_000;
const MAX_KEEP_MS = 365 * 86_400_000;
/** How long the log of an ended run is kept, in ms. */
export const keepSchema = z.int().min(MIN_KEEP_MS).max(MAX_KEEP_MS);

/** The most signals of one definition. */
export const MAX_SIGNALS = 100;

const schemaSchema = z.custom<z.ZodType>(
  (value) => typeof value === "object" && value !== null && "safeParse" in value,
  "must be a zod schema",
);
const generatorSchema = z.custom(
  (value) => typeof value === "function" && value.constructor.name === "GeneratorFunction",
  "must be a generator, `*run(input) { … }`, and not async: steps wait for everything outside",
);
const specSchema = z.strictObject({
  name: nameSchema,
  version: z.int().min(1),
  description: z.string().optional(),
  keepMs: keepSchema.optional(),
  input: schemaSchema.optional(),
  output: schemaSchema.optional(),
  signals: z
    .record(nameSchema, schemaSchema)
    .refine((signals) => Object.keys(signals).length <= MAX_SIGNALS, `at most ${MAX_SIGNALS} signals`)
    .optional(),
  run: generatorSchema,
});

/**
 * Makes a workflow from an author's options.
 * @throws SwarmError `invalid_input` naming every wrong option; its field is the first one.
 */
export function defineWorkflow<In extends z.ZodType = z.ZodUnknown, Out extends z.ZodType = z.ZodUnknown>(
  spec: WorkflowSpec<In, Out>,
): WorkflowDefinition {
  const [first, ...others] = findFaults(specSchema, spec);
  if (first !== undefined) {
    const list = [first, ...others].map(({ field, text }) => `${field === "" ? "" : `${field}: `}${text}`);
    throw new SwarmError("invalid_input", `defineWorkflow: ${list.join("; ")}`, {
      field: first.field || "body",
    });
  }
  return Object.freeze({
    [WORKFLOW_DEFINITION]: true as const,
    name: spec.name,
    version: spec.version,
    description: spec.description,
    input: spec.input,
    output: spec.output,
    signals: new Map(Object.entries(spec.signals ?? {})),
    keepMs: spec.keepMs,
    source: undefined,
    run: (input: unknown) => spec.run.call(spec, input as z.output<In>),
  });
}

/** Checks the input of a run before its start. @throws SwarmError `invalid_input` naming the field. */
export function checkInput(definition: WorkflowDefinition, input: unknown): unknown {
  return definition.input === undefined
    ? input
    : parse(definition.input, input, `workflow ${definition.name}`, "input");
}
