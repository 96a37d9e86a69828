// The fields of each node and of the whole definition, as zod schemas: parse.ts checks by them, and schema.ts makes the JSON Schema
// for editors from them. Values that may hold expressions are `unknown` here.
import { z } from "zod";
import { MAX_DELAY_MS, nameSchema, taskSchema } from "../../protocol/index.ts";
import { keepSchema } from "../define/define.ts";
import { MAX_LOOP_PASSES } from "./graph.ts";

/** The name of a step: it stands in expressions as `steps.<name>`. */
export const stepNameSchema = z
  .string("must be 1–48 of A–Z a–z 0–9 _ -, beginning with a letter or _")
  .regex(
    /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_-]{0,47}$/,
    "must be 1–48 of A–Z a–z 0–9 _ -, beginning with a letter or _, and not __proto__",
  )
  .describe("The step's name: unique in the workflow, and `steps.<name>` in expressions.");

const anything = z.unknown();
const schema = z
  .union([z.boolean(), z.record(z.string(), anything)])
  .describe("A JSON Schema, draft 2020-12.");
const block = z.array(anything).describe("Steps, one after the other.");
const branches = z.array(anything).min(1).describe("Steps, or lists of steps, that run side by side.");
const test = z.string().describe("An expression that gives true or false.");
const expiresMs = z.number().min(0).max(MAX_DELAY_MS).describe("The longest wait, in ms; default: no limit.");
const undo = z
  .strictObject({
    call: nameSchema.describe("The capability that undoes the step."),
    with: anything.optional().describe("The `input` that it gets; default: the step's input."),
  })
  .describe("The compensation, when the run fails after this step may have had its effect.");

const taskFields = taskSchema
  .pick({ timeoutMs: true, retry: true, priority: true, route: true, ballot: true, labels: true })
  .partial().shape;

/** The fields of each node, by its kind. The first field names the kind. */
export const NODE_FIELDS = {
  step: z.strictObject({
    step: stepNameSchema,
    call: nameSchema.describe("The capability that performs the step."),
    with: anything.optional().describe("The task's input; texts may hold expressions."),
    output: schema.optional(),
    undo: undo.optional(),
    pivot: z.boolean().optional().describe("Once this step has completed, nothing is undone any more."),
    ...withoutDefaults(taskFields),
  }),
  parallel: z.strictObject({
    parallel: branches,
    settle: z.literal("all").optional().describe("Wait for all branches also when one fails."),
  }),
  // biome-ignore lint/suspicious/noThenProperty: a field of the language; nothing awaits this object
  if: z.strictObject({ if: test, then: block, else: block.optional() }),
  map: z.strictObject({
    map: stepNameSchema,
    over: anything.describe("An expression that gives a list; each item is `item`, its number `index`."),
    concurrency: z.int().min(1).max(10_000).optional().describe("The most items in progress; default 16."),
    tolerate: z
      .union([z.int().min(0), z.string().regex(/^\d+(\.\d+)?%$/, 'must be a number or a part such as "5%"')])
      .optional()
      .describe("The failed items that the map accepts, as a number or a part."),
    do: anything.describe("The step, or steps, for each item; the value is that of the last one."),
  }),
  loop: z.strictObject({
    loop: stepNameSchema,
    while: test.describe(
      "The loop goes on while it is true; it is asked before each pass, and `pass` counts from 0.",
    ),
    max: z.int().min(1).max(MAX_LOOP_PASSES).describe("The most passes; a loop that wants more fails."),
    do: anything.describe("The step, or steps, of each pass."),
  }),
  race: z.strictObject({ race: stepNameSchema, of: branches }),
  sleep: z.strictObject({
    sleep: stepNameSchema,
    ms: anything.describe("The wait in ms, or an expression."),
  }),
  signal: z.strictObject({
    signal: stepNameSchema,
    of: nameSchema.optional().describe("The declared signal; default: the step's name."),
    expiresMs: expiresMs.optional(),
  }),
  approval: z.strictObject({
    approval: stepNameSchema,
    by: z.array(nameSchema).min(1).max(100).describe("The users and groups that may decide."),
    expiresMs: expiresMs.optional(),
    onExpiry: z.enum(["fail", "approve", "reject"]).optional(),
  }),
  child: z.strictObject({
    child: stepNameSchema,
    workflow: nameSchema.describe("The workflow that runs as a child."),
    with: anything.optional().describe("The child's input."),
    output: schema.optional(),
    version: z.int().min(1).optional(),
    onParentEnd: z.enum(["cancel", "leave"]).optional(),
    undo: undo.optional(),
  }),
  shared: z.strictObject({
    shared: stepNameSchema,
    key: nameSchema.describe("The name of the shared value."),
    set: anything.optional().describe("The new value; without it, the value is read."),
    revision: anything
      .optional()
      .describe("Set it only if it still has this revision; 0: only if it was never set."),
  }),
  expand: z.strictObject({
    expand: stepNameSchema,
    graph: anything.describe("An expression that gives a list of steps."),
    grants: z.array(nameSchema).min(1).max(1_000).describe("The capabilities that the added steps may call."),
  }),
  try: z.strictObject({
    try: block,
    catch: block.describe("Runs when a step of `try` fails; the failure is `error`."),
  }),
  status: z.strictObject({
    status: z
      .strictObject({ progress: anything.optional(), note: z.string().optional() })
      .describe("The progress from 0 to 1, and the note, that lists show."),
  }),
} as const satisfies Record<string, z.ZodObject>;

/** The kind of a node. */
export type NodeKind = keyof typeof NODE_FIELDS;

/** The fields of the whole definition. */
export const definitionFields = z.strictObject({
  workflow: nameSchema.describe("The workflow's name."),
  version: z.int().min(1).describe("The version. A run keeps the version that it started with."),
  description: z.string().max(1_024).optional(),
  keepMs: keepSchema.optional().describe("How long the log of an ended run is kept, in ms; default 7 days."),
  input: schema.optional(),
  signals: z
    .record(nameSchema, schema)
    .optional()
    .describe("The signals that a run accepts, with their schemas."),
  steps: block,
  output: anything.optional().describe("The run's output."),
});

/** A definition states only what differs from the defaults, which the task's own schema fills in. */
function withoutDefaults<S extends z.ZodRawShape>(shape: S): S {
  return Object.fromEntries(
    Object.entries(shape).map(([name, field]) => {
      const inner = field instanceof z.ZodOptional ? field.unwrap() : field;
      const bare = inner instanceof z.ZodDefault ? inner.unwrap() : inner;
      return [name, (bare as z.ZodType).optional()];
    }),
  ) as unknown as S;
}
