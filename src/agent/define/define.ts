// How a developer writes an agent: one object, checked here, turned into the one shape that hosts run. Two ways: a
// `run` function, or an XState machine of the author's own (one actor of it per task).
//
//   export default defineAgent({
//     name: "greeter",
//     capabilities: ["greet"],
//     input: z.object({ name: z.string() }),
//     run: (task) => `Hello, ${task.input.name}!`,
//   });
import type { AnyStateMachine } from "xstate";
import { z } from "zod";
import {
  type AgentStatus,
  agentStatusSchema,
  type CommandLimits,
  MAX_SKILLS,
  parse,
  SwarmError,
  showValue,
  tokenSchema,
} from "../../protocol/index.ts";
import type { CapabilityLimits } from "../../work/index.ts";
import type { AgentAccess, AgentContext, AgentTask } from "./context.ts";
import { runMachine } from "./run-machine.ts";

/**
 * Attempts that one agent performs at the same time. 8: agents mostly wait (for models, tools, the wire), so several
 * in flight hide the waiting; few enough that one process does not hoard what others could do.
 */
export const DEFAULT_SLOTS = 8;
/** The most slots of one agent: above it, more agents say more clearly what is meant. */
export const MAX_SLOTS = 1_024;
/** The most capabilities of one agent; bounds its status, which is sent with every heartbeat. */
export const MAX_CAPABILITIES = 32;

/** What the commands of an agent may be; the host's own limits hold besides, whichever is lower. */
export interface ExecLimits extends CommandLimits {
  /** Programs, by name or absolute path. What is not listed is refused, `not_permitted`. */
  allow: readonly string[];
}

/** What every agent says about itself. */
interface AgentFacts<In extends z.ZodType, Out extends z.ZodType> {
  /** The agent's role: one subject token, the name of its folder. */
  name: string;
  description?: string | undefined;
  /** Shown in its status; default: the program's version. */
  version?: string | undefined;
  /** What it can do: 1 to {@link MAX_CAPABILITIES} different tokens. */
  capabilities: readonly string[];
  /**
   * What it is good at, for tasks with route `best`: up to {@link MAX_SKILLS} different tokens, such as backend, search,
   * ai, frontend, devops, qa, security, docs, planner, editor, reviewer, oracle, librarian, explorer. A task asks for
   * one with its label `expertise` or `role`.
   */
  expertise?: readonly string[] | undefined;
  /**
   * Words or phrases that draw tasks with route `best` to it when their input holds them: up to {@link MAX_SKILLS} of
   * at most 64 characters, compared in lower case.
   */
  triggers?: readonly string[] | undefined;
  /** The model it works with, by name: its record is kept by role and model. Tells; it configures nothing. */
  model?: string | undefined;
  /** What `task.input` must be; a mismatch fails the task at once, `invalid_input`, naming the field under `input.`. */
  input?: In;
  /** What the result must be; a mismatch fails the attempt, `internal`, naming the field under `output.`. */
  output?: Out;
  /** Attempts at the same time, 1 to {@link MAX_SLOTS}; default {@link DEFAULT_SLOTS}. */
  slots?: number | undefined;
  /** Limits across the whole swarm, for the tasks (not the asks) of each of the capabilities. */
  limits?: CapabilityLimits | undefined;
  /** The commands that `ctx.exec` may run. Without it there are none. */
  exec?: ExecLimits | undefined;
  /** What it does with broadcasts, by topic (exact, no wildcards). One at a time, in order. */
  on?: Readonly<Record<string, (value: unknown, agent: AgentAccess) => Promise<void> | void>> | undefined;
  /** Runs before the first task, and again after a restart. A throw restarts the agent. */
  start?: ((agent: AgentAccess) => Promise<void> | void) | undefined;
  /** Runs when the agent stops or is about to be restarted. A throw is logged. */
  stop?: ((agent: AgentAccess) => Promise<void> | void) | undefined;
}

/** An agent that performs a task in one function. */
export interface RunSpec<In extends z.ZodType, Out extends z.ZodType> extends AgentFacts<In, Out> {
  /**
   * Performs a task and returns its output. A thrown `RetryableError` (or any plain exception) fails the attempt,
   * `TerminalError` the task, `AssertionError` the attempt and the agent, which is then restarted.
   */
  run(task: AgentTask<z.output<In>>, ctx: AgentContext): Promise<z.input<Out>> | z.input<Out>;
  machine?: undefined;
}

/** An agent that performs a task with a machine of its author's. */
export interface MachineSpec<In extends z.ZodType, Out extends z.ZodType> extends AgentFacts<In, Out> {
  /**
   * One actor of it runs per task, with input {@link MachineInput}. Its final `output` is the task's output, an error
   * fails the attempt as one thrown by `run` does, and its state is shown in the agent's status.
   */
  machine: AnyStateMachine;
  run?: undefined;
}

/** The input that an author's machine gets. */
export interface MachineInput<Input = unknown> {
  task: AgentTask<Input>;
  ctx: AgentContext;
}

const DEFINITION: unique symbol = Symbol.for("murmur.agent-definition");

/** A checked agent, as hosts run it. Made by {@link defineAgent} only. */
export interface AgentDefinition {
  readonly [DEFINITION]: true;
  readonly name: string;
  readonly description: string | undefined;
  readonly version: string | undefined;
  readonly capabilities: readonly string[];
  /** What its status says of its skills; fields that its author left out are missing. */
  readonly skills: Pick<AgentStatus, "expertise" | "triggers" | "model">;
  readonly slots: number;
  readonly limits: CapabilityLimits | undefined;
  readonly exec: ExecLimits | undefined;
  readonly on: ReadonlyMap<string, (value: unknown, agent: AgentAccess) => Promise<void> | void>;
  readonly start: ((agent: AgentAccess) => Promise<void> | void) | undefined;
  readonly stop: ((agent: AgentAccess) => Promise<void> | void) | undefined;
  /**
   * Parses the input, performs the task, parses the output. `onState` is told the state of an author's machine.
   * @throws SwarmError `invalid_input` (terminal) or `internal` naming a field; whatever the author's code throws.
   */
  readonly perform: (
    task: AgentTask,
    ctx: AgentContext,
    onState: (state: string) => void,
  ) => Promise<unknown> | unknown;
}

/** True for what {@link defineAgent} made, also when another copy of this package made it. */
export function isAgentDefinition(value: unknown): value is AgentDefinition {
  return typeof value === "object" && value !== null && DEFINITION in value;
}

const isFreeOfRepeats = (texts: readonly string[]) => new Set(texts).size === texts.length;
const isFunction = (value: unknown) => typeof value === "function";
const functionSchema = z.custom(isFunction, "must be a function");
const schemaSchema = z.custom<z.ZodType>(
  (value) => typeof value === "object" && value !== null && "safeParse" in value,
  "must be a zod schema",
);
const machineSchema = z.custom<AnyStateMachine>(
  (value) => typeof value === "object" && value !== null && "getInitialSnapshot" in value,
  "must be an XState machine",
);
const bytesSchema = z.int().min(1).optional();
const rateSchema = z.strictObject({
  count: z.number().positive(),
  windowMs: z.number().positive(),
  burst: z.number().min(0).optional(),
});
const limitSchema = { concurrency: z.int().min(1).optional(), rate: rateSchema.optional() };

/** The options of {@link defineAgent}. Unknown ones are refused, because a misspelt option must not be ignored. */
const specSchema = z.strictObject({
  name: tokenSchema,
  description: z.string().optional(),
  version: z.string().min(1).max(64).optional(),
  capabilities: z
    .array(tokenSchema)
    .min(1)
    .max(MAX_CAPABILITIES)
    .refine(isFreeOfRepeats, "must not name a capability twice"),
  expertise: z
    .array(tokenSchema)
    .max(MAX_SKILLS)
    .refine(isFreeOfRepeats, "must not name an expertise twice")
    .optional(),
  triggers: z
    .array(z.string().trim().toLowerCase().min(1).max(64))
    .max(MAX_SKILLS)
    .refine(isFreeOfRepeats, "must not name a trigger twice (case does not tell them apart)")
    .optional(),
  model: agentStatusSchema.shape.model,
  input: schemaSchema.optional(),
  output: schemaSchema.optional(),
  slots: z.int().min(1).max(MAX_SLOTS).default(DEFAULT_SLOTS),
  limits: z
    .strictObject({
      ...limitSchema,
      perKey: z.strictObject({ of: functionSchema, ...limitSchema }).optional(),
    })
    .optional(),
  exec: z
    .strictObject({
      allow: z.array(z.string().min(1)).min(1),
      timeoutMs: z.number().positive().optional(),
      maxOutputBytes: bytesSchema,
      maxMemoryBytes: bytesSchema,
    })
    .optional(),
  on: z.record(z.string().regex(/^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})*$/), functionSchema).optional(),
  start: functionSchema.optional(),
  stop: functionSchema.optional(),
  run: functionSchema.optional(),
  machine: machineSchema.optional(),
});

/**
 * Makes an agent.
 * @throws SwarmError `invalid_input` naming the option that is wrong.
 */
export function defineAgent<In extends z.ZodType = z.ZodUnknown, Out extends z.ZodType = z.ZodUnknown>(
  spec: RunSpec<In, Out> | MachineSpec<In, Out>,
): AgentDefinition {
  const checked = parse(specSchema, spec, "defineAgent");
  const { run, machine } = spec;
  if ((run === undefined) === (machine === undefined)) {
    throw new SwarmError(
      "invalid_input",
      `defineAgent: ${spec.name} needs either run or machine, exactly one`,
      {
        field: "run",
      },
    );
  }
  const perform: AgentDefinition["perform"] =
    machine === undefined
      ? (task, ctx) => (run as RunSpec<z.ZodType, z.ZodType>["run"]).call(spec, task, ctx)
      : (task, ctx, onState) => runMachine(machine, { task, ctx }, onState);
  return Object.freeze({
    [DEFINITION]: true as const,
    name: checked.name,
    description: checked.description,
    version: checked.version,
    capabilities: Object.freeze([...checked.capabilities]),
    skills: skillsOf(checked),
    slots: checked.slots,
    limits: spec.limits,
    exec: spec.exec,
    on: new Map(Object.entries(spec.on ?? {})),
    start: spec.start,
    stop: spec.stop,
    perform: withSchemas(perform, spec.input, spec.output),
  });
}

function skillsOf({ expertise, triggers, model }: z.output<typeof specSchema>): AgentDefinition["skills"] {
  return Object.freeze({
    ...(expertise === undefined ? {} : { expertise }),
    ...(triggers === undefined ? {} : { triggers }),
    ...(model === undefined ? {} : { model }),
  });
}

/** Puts the author's schemas before and after `perform`; costs nothing where there is none. */
function withSchemas(
  perform: AgentDefinition["perform"],
  input: z.ZodType | undefined,
  output: z.ZodType | undefined,
): AgentDefinition["perform"] {
  const parsed: AgentDefinition["perform"] =
    input === undefined
      ? perform
      : (task, ctx, onState) =>
          perform({ ...task, input: parse(input, task.input, `task ${task.id}`, "input") }, ctx, onState);
  if (output === undefined) return parsed;
  return async (task, ctx, onState) => checkOutput(output, await parsed(task, ctx, onState));
}

/** An output that misses its own schema is the agent's bug, not the publisher's: `internal`. */
function checkOutput(schema: z.ZodType, value: unknown): unknown {
  const verdict = schema.safeParse(value);
  if (verdict.success) return verdict.data;
  const issue = verdict.error.issues[0];
  const field = ["output", ...(issue?.path ?? []).map(String)].join(".");
  throw new SwarmError(
    "internal",
    `${field} does not fit the agent's own output schema: ${issue?.message ?? "it differs"}${
      issue?.path.length === 0 ? `, got ${showValue(value)}` : ""
    }`,
    { field },
  );
}
