// The operation that makes a plan for an objective: it asks an agent of the capability `planner` for steps, and checks them like a file. Nothing is
// started. The agents of the swarm are facts for the planner, so that a planner needs no rights of its own.
import { z } from "zod";
import { type AgentStatus, isName, type Json, nameSchema, SwarmError } from "../../protocol/index.ts";
import { callsOf, checkExpansion, MAX_OBJECTIVE_LENGTH } from "../../workflow/index.ts";
import { describeAgents, type RoleDescription } from "../agents/roll-call.ts";
import { describeAbsence } from "./absent-agents.ts";
import { defineOperation, readWithin } from "./operation.ts";

/** The capability of planners. */
export const PLANNER_CAPABILITY = "planner";
/** How long a planner has when the caller names no time, in ms: a planner by rules needs a few, one with a model some tens of seconds. */
const PLAN_TIMEOUT_MS = 120_000;
/** The most notes and unmatched parts that a plan shows. */
const MAX_PLAN_NOTES = 100;

const text = z.string().max(MAX_OBJECTIVE_LENGTH);
/** The output of a planner. */
const planSchema = z.object({
  steps: z.array(z.json()),
  /** Why the steps are these, for people. */
  notes: z.array(text).max(MAX_PLAN_NOTES).optional(),
  /** Parts of the objective that no known agent can do. */
  unmatched: z
    .array(z.object({ text, reason: text }))
    .max(MAX_PLAN_NOTES)
    .optional(),
});

/** An agent as a planner sees it: one entry for each role. */
interface PlannerAgent {
  readonly role: string;
  readonly capabilities: readonly string[];
  readonly expertise: readonly string[];
  readonly triggers: readonly string[];
  readonly description?: string;
  /** The JSON Schemas of its input and output, where its author gave them. */
  readonly input?: Json;
  readonly output?: Json;
}

export const planWorkflow = defineOperation({
  name: "workflow-plan",
  summary: "make a plan for an objective",
  input: z.strictObject({
    objective: z.string().trim().min(1).max(MAX_OBJECTIVE_LENGTH).meta({ description: "the objective" }),
    grants: z.array(nameSchema).max(1_000).optional().meta({
      description: "the capabilities that the steps may call (default: those of the living agents)",
    }),
  }),
  output: z.object({
    objective: z.string(),
    /** The steps, in the form of a definition in YAML. */
    steps: z.array(z.json()),
    /** The capabilities that the steps call. */
    calls: z.array(z.string()),
    notes: z.array(z.string()),
    /** Parts that no living agent can do: steps by their capability, and parts of the objective without a step. */
    missing: z.array(z.object({ what: z.string(), reason: z.string() })),
  }),
  /** `timeout`: the planner did not answer in time. `not_permitted`: the plan calls a capability that is not granted. */
  errors: ["timeout", "not_permitted"],
  access: "submit",
  reach: () => ({ capabilities: [PLANNER_CAPABILITY] }),
  async run(context, { objective, grants }) {
    const { agents, roles } = await readWithin(context, describeAgents(context.transport));
    const absent = describeAbsence(agents, PLANNER_CAPABILITY);
    if (absent !== undefined)
      throw new SwarmError(
        "unavailable",
        `no agent makes plans now: murmur up --agents planner starts the shipped planner (${absent})`,
      );
    const { timeoutMs = PLAN_TIMEOUT_MS, signal } = context;
    const known = agentsOf(agents, roles).filter(
      ({ capabilities }) => !capabilities.includes(PLANNER_CAPABILITY),
    );
    const task = { capability: PLANNER_CAPABILITY, input: { objective, agents: known }, timeoutMs };
    const result = await context.client.run(task, { timeoutMs, signal });
    if (result.status !== "completed")
      throw new SwarmError(
        result.error?.code ?? "internal",
        `the planner made no plan: ${result.error?.message ?? result.status}`,
      );
    const plan = planSchema.safeParse(result.output);
    if (!plan.success) {
      const [issue] = plan.error.issues;
      throw new SwarmError(
        "internal",
        `the answer of the planner ${result.agent} is no plan: ${issue?.path.join(".")}: ${issue?.message}`,
      );
    }
    return judge(objective, plan.data, { agents, grants, known });
  },
});

/** Checks a plan. @throws SwarmError `not_permitted` for a call without a grant; `invalid_input` for other faults. */
function judge(
  objective: string,
  { steps, notes = [], unmatched = [] }: z.output<typeof planSchema>,
  scene: {
    agents: readonly AgentStatus[];
    grants: readonly string[] | undefined;
    known: readonly PlannerAgent[];
  },
) {
  const calls = callsOf(steps);
  const { grants } = scene;
  const beyond = grants === undefined ? [] : calls.filter((call) => !grants.includes(call));
  if (beyond.length > 0)
    throw new SwarmError(
      "not_permitted",
      `the plan calls ${beyond.join(", ")}, and the grants are ${grants?.join(", ") || "none"}`,
      { field: "grants" },
    );
  const faults =
    steps.length === 0 ? [] : checkExpansion(steps, calls, { capabilities: schemasOf(scene.known, calls) });
  if (faults.length > 0)
    throw new SwarmError("invalid_input", `the plan is refused: ${faults.slice(0, 5).join("; ")}`, {
      field: "steps",
    });
  const missing = [
    ...calls.flatMap((call) => {
      const reason = describeAbsence(scene.agents, call);
      return reason === undefined ? [] : [{ what: call, reason }];
    }),
    ...unmatched.map(({ text: what, reason }) => ({ what, reason })),
  ];
  return { objective, steps, calls, notes, missing };
}

/** The schemas of capabilities. A call that no agent takes has none: it is told as missing, and is no fault of the plan. */
function schemasOf(agents: readonly PlannerAgent[], calls: readonly string[]) {
  const schemas = new Map<string, { input?: never; output?: never }>(calls.map((call) => [call, {}]));
  for (const { capabilities, input, output } of agents)
    for (const capability of capabilities)
      schemas.set(capability, {
        ...(input === undefined ? {} : { input: input as never }),
        ...(output === undefined ? {} : { output: output as never }),
      });
  return schemas;
}

/** The living agents by role, for a planner. */
function agentsOf(
  agents: readonly AgentStatus[],
  roles: ReadonlyMap<string, RoleDescription>,
): PlannerAgent[] {
  const found = new Map<string, PlannerAgent>();
  for (const { role, capabilities, expertise = [], triggers = [], state } of agents) {
    if (state === "stopped" || state === "failed" || found.has(role) || !isName(role)) continue;
    const { description, input, output } = roles.get(role) ?? {};
    found.set(role, {
      role,
      capabilities,
      expertise,
      triggers,
      ...(description === undefined ? {} : { description }),
      ...(input === undefined ? {} : { input: input as Json }),
      ...(output === undefined ? {} : { output: output as Json }),
    });
  }
  return [...found.values()].sort((a, b) => (a.role < b.role ? -1 : 1));
}
