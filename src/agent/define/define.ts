// Defines an agent: checks the author's options and makes the definition that hosts run. The author writes either a
// `run` function or an XState machine (one actor for each task). Leaves the execution to agent.ts and run-context.ts.
//
//   export default defineAgent({
//     name: "greeter",
//     capabilities: ["greet"],
//     input: z.object({ name: z.string() }),
//     run: (task) => `Hello, ${task.input.name}!`,
//   });
import type { AnyStateMachine } from "xstate";
import { z } from "zod";
import { nearest } from "../../base/index.ts";
import {
  type AgentStatus,
  agentStatusSchema,
  type CommandLimits,
  type Fault,
  findFaults,
  MAX_SKILLS,
  nameSchema,
  parse,
  SwarmError,
  showValue,
  tokenSchema,
  WORKFLOW_CAPABILITY,
} from "../../protocol/index.ts";
import type { CapabilityLimits } from "../../work/index.ts";
import type { AgentAccess, AgentContext, AgentTask } from "./context.ts";
import { runMachine } from "./run-machine.ts";

/**
 * The attempts that one agent performs at the same time. 8: agents mostly wait (for models, tools, the network), so
 * several attempts in flight hide the waits; yet one process does not take all tasks while other processes are idle.
 */
export const DEFAULT_SLOTS = 8;
/** The most slots of one agent. For more parallel work, run more agents. */
export const MAX_SLOTS = 1_024;
/** The most capabilities of one agent. It limits the size of the agent's status, which every heartbeat carries. */
export const MAX_CAPABILITIES = 32;

/** The allowed commands of an agent, and their limits. The host has limits of its own; the lower limit holds. */
export interface ExecLimits extends CommandLimits {
  /** Allowed programs, by name or absolute path. Other programs are rejected: `not_permitted`. */
  allow: readonly string[];
}

/** The options that all agents have. */
interface AgentFacts<In extends z.ZodType, Out extends z.ZodType> {
  /** The agent's role: one subject token, the name of its folder. */
  name: string;
  description?: string | undefined;
  /** The version in the agent's status; default: the program's version. */
  version?: string | undefined;
  /** The agent's capabilities: 1 to {@link MAX_CAPABILITIES} different tokens. */
  capabilities: readonly string[];
  /**
   * The agent's areas of expertise, for tasks with route `best`: up to {@link MAX_SKILLS} different tokens, such as
   * backend, search, ai, frontend, devops, qa, security, docs, planner, editor, reviewer, oracle, librarian, explorer. A
   * task names the expertise that it needs in its label `expertise` or `role`.
   */
  expertise?: readonly string[] | undefined;
  /**
   * Words or phrases: the coordinator prefers this agent for tasks with route `best` whose input contains one of them. Up
   * to {@link MAX_SKILLS}, each of at most 64 characters; case does not matter.
   */
  triggers?: readonly string[] | undefined;
  /** The name of the agent's model. The coordinator keeps records by role and model, and can seat ballots by model. */
  model?: string | undefined;
  /** The schema of `task.input`. A mismatch fails the task at once: `invalid_input`, naming the field under `input.`. */
  input?: In;
  /** The schema of the output. A mismatch fails the attempt: `internal`, naming the field under `output.`. */
  output?: Out;
  /** The most attempts at the same time, 1 to {@link MAX_SLOTS}; default {@link DEFAULT_SLOTS}. */
  slots?: number | undefined;
  /** Limits for the tasks (not the asks) of each capability, across the whole swarm. */
  limits?: CapabilityLimits | undefined;
  /** The commands that `ctx.exec` may run. Without this option the agent may run none. */
  exec?: ExecLimits | undefined;
  /** The handlers of broadcasts, by topic (exact, no wildcards). They run one at a time, in the order of arrival. */
  on?: Readonly<Record<string, (value: unknown, agent: AgentAccess) => Promise<void> | void>> | undefined;
  /** Runs before the first task, and again after a restart. If it throws, the agent is restarted. */
  start?: ((agent: AgentAccess) => Promise<void> | void) | undefined;
  /** Runs when the agent stops, and before a restart. If it throws, the error is logged. */
  stop?: ((agent: AgentAccess) => Promise<void> | void) | undefined;
}

/** An agent that performs a task in one function. */
export interface RunSpec<In extends z.ZodType, Out extends z.ZodType> extends AgentFacts<In, Out> {
  /**
   * Performs a task and returns its output. A thrown `RetryableError`, or any plain exception, fails the attempt. A
   * `TerminalError` fails the task. An `AssertionError` fails the attempt and restarts the agent.
   */
  run(task: AgentTask<z.output<In>>, ctx: AgentContext): Promise<z.input<Out>> | z.input<Out>;
  machine?: undefined;
}

/** An agent that performs a task in an XState machine of its author. */
export interface MachineSpec<In extends z.ZodType, Out extends z.ZodType> extends AgentFacts<In, Out> {
  /**
   * The machine. Each task runs one actor of the machine, with input {@link MachineInput}. The final `output` of the
   * actor is the task's output. An error of the actor fails the attempt, like an error thrown by `run`. The agent's
   * status shows the actor's state.
   */
  machine: AnyStateMachine;
  run?: undefined;
}

/** The input of an author's machine. */
export interface MachineInput<Input = unknown> {
  task: AgentTask<Input>;
  ctx: AgentContext;
}

const DEFINITION: unique symbol = Symbol.for("murmur.agent-definition");

/** A checked agent, as hosts run it. Only {@link defineAgent} makes one. */
export interface AgentDefinition {
  readonly [DEFINITION]: true;
  readonly name: string;
  readonly description: string | undefined;
  readonly version: string | undefined;
  readonly capabilities: readonly string[];
  /** The skills in the agent's status; a field that its author omitted is missing. */
  readonly skills: Pick<AgentStatus, "expertise" | "triggers" | "model">;
  /** The schemas of input and output; a schema that its author omitted is missing. */
  readonly schemas: { readonly input?: z.ZodType; readonly output?: z.ZodType };
  readonly slots: number;
  readonly limits: CapabilityLimits | undefined;
  readonly exec: ExecLimits | undefined;
  readonly on: ReadonlyMap<string, (value: unknown, agent: AgentAccess) => Promise<void> | void>;
  readonly start: ((agent: AgentAccess) => Promise<void> | void) | undefined;
  readonly stop: ((agent: AgentAccess) => Promise<void> | void) | undefined;
  /**
   * Parses the input, performs the task, parses the output. Calls `onState` with each state of an author's machine.
   * @throws SwarmError `invalid_input` (terminal) or `internal`, naming a field; any error of the author's code.
   */
  readonly perform: (
    task: AgentTask,
    ctx: AgentContext,
    onState: (state: string) => void,
  ) => Promise<unknown> | unknown;
}

/** True for a value made by {@link defineAgent}, even if another copy of this package made it. */
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

/** The options of {@link defineAgent}. Unknown options are rejected, so that a misspelt option is not ignored. */
const specSchema = z.strictObject({
  name: nameSchema,
  description: z.string().optional(),
  version: z.string().min(1).max(64).optional(),
  capabilities: z
    .array(nameSchema)
    .min(1)
    .max(MAX_CAPABILITIES)
    .refine(isFreeOfRepeats, "must not name a capability twice")
    .refine(
      (names) => !names.includes(WORKFLOW_CAPABILITY),
      `must not name ${WORKFLOW_CAPABILITY}: the results of workflows have this name`,
    ),
  expertise: z
    .array(tokenSchema)
    .max(MAX_SKILLS)
    .refine(isFreeOfRepeats, "must not name an expertise twice")
    .optional(),
  triggers: z
    .array(z.string().trim().toLowerCase().min(1).max(64))
    .max(MAX_SKILLS)
    .refine(isFreeOfRepeats, "must not name a trigger twice (upper and lower case are the same)")
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
  on: z
    .record(
      z
        .string()
        .regex(
          /^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})*$/,
          "must be tokens of A–Z a–z 0–9 _ -, joined by dots",
        ),
      functionSchema,
    )
    .optional(),
  start: functionSchema.optional(),
  stop: functionSchema.optional(),
  run: functionSchema.optional(),
  machine: machineSchema.optional(),
});

/**
 * Makes an agent from an author's options.
 * @throws SwarmError `invalid_input` naming every wrong option; its field is the first one.
 */
export function defineAgent<In extends z.ZodType = z.ZodUnknown, Out extends z.ZodType = z.ZodUnknown>(
  spec: RunSpec<In, Out> | MachineSpec<In, Out>,
): AgentDefinition {
  refuseFaults(spec);
  const checked = parse(specSchema, spec, "defineAgent");
  const { run, machine } = spec;
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
    schemas: Object.freeze({
      ...(spec.input === undefined ? {} : { input: spec.input }),
      ...(spec.output === undefined ? {} : { output: spec.output }),
    }),
    slots: checked.slots,
    limits: spec.limits,
    exec: spec.exec,
    on: new Map(Object.entries(spec.on ?? {})),
    start: spec.start,
    stop: spec.stop,
    perform: withSchemas(perform, spec.input, spec.output),
  });
}

/** The faults that one error names at most. More come from a value that is not a definition at all. */
const MAX_FAULTS_SHOWN = 20;

/** @throws SwarmError `invalid_input` naming every fault of the definition, one a line. */
function refuseFaults(spec: unknown): void {
  const faults = findFaults(specSchema, spec);
  if (typeof spec === "object" && spec !== null) {
    const { run, machine } = spec as { run?: unknown; machine?: unknown };
    if ((run === undefined) === (machine === undefined)) {
      const got = run === undefined ? "neither" : "both";
      faults.push({ field: "run", text: `must have exactly one of run and machine, got ${got}` });
    }
  }
  const [first] = faults;
  if (first === undefined) return;
  const lines = faults.map(
    (fault) => `${fault.field === "" ? "" : `${fault.field}: `}${fault.text}${hintOf(fault)}`,
  );
  const more = lines.splice(MAX_FAULTS_SHOWN).length;
  if (more > 0) lines.push(`and ${more} more`);
  const list =
    lines.length === 1
      ? ` ${lines[0]}`
      : ` ${faults.length} options do not fit:\n  - ${lines.join("\n  - ")}`;
  throw new SwarmError("invalid_input", `defineAgent:${list}`, { field: first.field || "body" });
}

/** The hint for an unknown option: the known option nearest to it, or all known options. */
function hintOf({ field, known }: Fault): string {
  if (known === undefined) return "";
  const meant = nearest(field.slice(field.lastIndexOf(".") + 1), known);
  return meant === undefined ? `; known: ${known.join(", ")}` : `; did you mean ${meant}?`;
}

function skillsOf({ expertise, triggers, model }: z.output<typeof specSchema>): AgentDefinition["skills"] {
  return Object.freeze({
    ...(expertise === undefined ? {} : { expertise }),
    ...(triggers === undefined ? {} : { triggers }),
    ...(model === undefined ? {} : { model }),
  });
}

/** Wraps `perform` with the author's schemas. Without schemas it returns `perform` itself, at no cost. */
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

/** Checks an output. A mismatch is a bug of the agent and not of the task's publisher, so the error is `internal`. */
function checkOutput(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = ["output", ...(issue?.path ?? []).map(String)].join(".");
  throw new SwarmError(
    "internal",
    `${field} does not fit the agent's own output schema: ${issue?.message ?? "it differs"}${
      issue?.path.length === 0 ? `, got ${showValue(value)}` : ""
    }`,
    { field },
  );
}
