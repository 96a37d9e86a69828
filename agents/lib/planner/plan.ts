// Makes a plan by rules: each part of an objective becomes a step of the agent whose capabilities, expertise and triggers fit it best and whose
// input schema it can fill. The same objective and agents give the same plan. Pure.
import { z } from "zod";
import { expertiseOf, splitObjective, wordsOf } from "./words.ts";

const schema = z.looseObject({}).optional();

/** An agent, as `murmur run` describes it. */
export const plannerAgentSchema = z.object({
  role: z.string(),
  capabilities: z.array(z.string()).min(1),
  expertise: z.array(z.string()).default([]),
  triggers: z.array(z.string()).default([]),
  description: z.string().optional(),
  input: schema,
  output: schema,
});
/** The input of a planner. */
export const plannerInputSchema = z.object({
  objective: z.string().min(1),
  agents: z.array(plannerAgentSchema),
});
type PlannerAgent = z.output<typeof plannerAgentSchema>;

/** The points of a match. A trigger is a phrase that the author chose for this; a name is often a common word. */
const POINTS = { trigger: 4, expertise: 3, capability: 2, role: 1, description: 0.5 } as const;
/** The most steps of a plan: more belongs into a definition. */
const MAX_PLANNED_STEPS = 100;
/** Fields of an input that a text of the objective fills, in the order of preference. */
const TEXT_FIELDS = [
  "objective",
  "task",
  "question",
  "prompt",
  "text",
  "query",
  "instruction",
  "input",
] as const;
/** Fields of an input that the outputs of earlier steps fill. */
const RESULT_FIELDS = ["context", "results", "previous", "material"] as const;

/** A step of a plan, as data. */
type Step = Record<string, unknown>;
/** A plan. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
  readonly unmatched: readonly { readonly text: string; readonly reason: string }[];
}

interface Match {
  readonly agent: PlannerAgent;
  readonly capability: string;
  readonly points: number;
  readonly why: readonly string[];
}

/** Makes the plan of an objective. */
export function makePlan({ objective, agents }: z.output<typeof plannerInputSchema>): Plan {
  const notes: string[] = [];
  const unmatched: { text: string; reason: string }[] = [];
  const stages: Step[][] = [];
  const names = new Set<string>();
  let before: readonly string[] = [];
  for (const { text, how } of splitObjective(objective)) {
    if (how === "after" && stages.at(-1)?.length !== 0) {
      before = (stages.at(-1) ?? []).map(nameOf);
      stages.push([]);
    }
    const approval = approvalOf(text, names);
    const made = approval ?? stepOf(text, { agents, names, before });
    if ("reason" in made) unmatched.push({ text, reason: String(made.reason) });
    else {
      stages.at(-1)?.push(made.step);
      notes.push(made.note);
    }
  }
  const steps = stages.filter((stage) => stage.length > 0).map(asNode);
  const count = stages.flat().length;
  if (count > MAX_PLANNED_STEPS)
    return {
      steps: [],
      notes: [],
      unmatched: [
        {
          text: objective.slice(0, 80),
          reason: `it has ${count} parts; a plan has at most ${MAX_PLANNED_STEPS}`,
        },
      ],
    };
  return { steps, notes, unmatched };
}

/** A stage of several steps runs them side by side. */
function asNode(stage: readonly Step[]): Step {
  return stage.length === 1 ? (stage[0] as Step) : { parallel: stage };
}

function nameOf(step: Step): string {
  return String(step.step ?? step.approval);
}

/** A part such as "wait for approval by ops" becomes an approval. */
function approvalOf(text: string, names: Set<string>): { step: Step; note: string } | null {
  const found = /^(?:wait for (?:an? )?)?approv(?:al|e)\b(?:.*\b(?:by|of|from)\s+([A-Za-z0-9_-]+))?/iu.exec(
    text,
  );
  if (found === null) return null;
  const by = found[1] ?? "ops";
  const name = freeName("approval", names);
  return { step: { approval: name, by: [by] }, note: `${name}: waits for a person of ${by}` };
}

function stepOf(
  text: string,
  {
    agents,
    names,
    before,
  }: { agents: readonly PlannerAgent[]; names: Set<string>; before: readonly string[] },
): { step: Step; note: string } | { reason: string } {
  const ranked = agents
    .flatMap((agent) => agent.capabilities.map((capability) => matchOf(text, agent, capability)))
    .filter(({ points }) => points >= POINTS.capability)
    .sort((a, b) => b.points - a.points || (a.capability < b.capability ? -1 : 1));
  const refusals: string[] = [];
  for (const match of ranked) {
    const filled = fillInput(text, match.agent.input, before);
    if ("reason" in filled) {
      refusals.push(`${match.capability} ${filled.reason}`);
      continue;
    }
    const name = freeName(match.capability, names);
    const wanted = expertiseOf(text).filter((area) => match.agent.expertise.includes(area));
    const step = {
      step: name,
      call: match.capability,
      with: filled.value,
      route: "best",
      ...(wanted[0] === undefined ? {} : { labels: { expertise: wanted[0] } }),
    };
    return { step, note: `${name}: ${match.agent.role}, because ${match.why.join(", ")}` };
  }
  if (refusals.length > 0) return { reason: `the input does not fit: ${refusals.slice(0, 3).join("; ")}` };
  const areas = expertiseOf(text);
  const wish = areas.length === 0 ? "" : `; it names the expertise ${areas.join(", ")}`;
  return { reason: `no living agent fits${wish}` };
}

function matchOf(text: string, agent: PlannerAgent, capability: string): Match {
  const words = new Set(wordsOf(text));
  const padded = ` ${wordsOf(text).join(" ")} `;
  const why: string[] = [];
  let points = 0;
  const add = (count: number, reason: string) => {
    points += count;
    why.push(reason);
  };
  const triggers = agent.triggers.filter((trigger) => padded.includes(` ${wordsOf(trigger).join(" ")} `));
  if (triggers.length > 0) add(POINTS.trigger * triggers.length, `the trigger ${triggers.join(", ")}`);
  const areas = expertiseOf(text).filter((area) => agent.expertise.includes(area));
  if (areas.length > 0) add(POINTS.expertise * areas.length, `the expertise ${areas.join(", ")}`);
  const parts = wordsOf(capability).filter((word) => words.has(word));
  if (parts.length > 0) add(POINTS.capability * parts.length, `the capability ${capability}`);
  const role = wordsOf(agent.role).filter((word) => words.has(word) && !parts.includes(word));
  if (role.length > 0) add(POINTS.role * role.length, `the role ${agent.role}`);
  const said = wordsOf(agent.description ?? "").filter((word) => word.length > 3 && words.has(word));
  points += POINTS.description * new Set(said).size;
  return { agent, capability, points, why };
}

/** The input of a step by the schema of its agent, or the reason why the words cannot fill it. */
function fillInput(
  text: string,
  schemaOf: PlannerAgent["input"],
  before: readonly string[],
): { value: unknown } | { reason: string } {
  const safe = text.replaceAll("${", "$$${");
  if (schemaOf === undefined) return { value: { objective: safe } };
  if (Array.isArray(schemaOf.anyOf)) return fillBest(text, schemaOf.anyOf as PlannerAgent["input"][], before);
  if (schemaOf.type === "string") return { value: safe };
  if (schemaOf.type !== undefined && schemaOf.type !== "object")
    return { reason: `takes ${String(schemaOf.type)}` };
  const properties = (schemaOf.properties ?? {}) as Record<string, { type?: unknown; default?: unknown }>;
  const required = Array.isArray(schemaOf.required) ? (schemaOf.required as string[]) : [];
  const value: Record<string, unknown> = {};
  const takesText = (name: string) => properties[name]?.type === "string";
  const field = TEXT_FIELDS.find(takesText);
  for (const name of Object.keys(properties)) if (takesText(name)) isNamed(name, text, value);
  if (field !== undefined && value[field] === undefined) value[field] = safe;
  const results = RESULT_FIELDS.find((name) => Object.hasOwn(properties, name));
  const steps = before.filter((name) => !name.startsWith("approval"));
  if (results !== undefined && steps.length > 0)
    value[results] = steps.length === 1 ? `\${steps.${steps[0]}}` : steps.map((name) => `\${steps.${name}}`);
  const absent = required.filter(
    (name) => value[name] === undefined && properties[name]?.default === undefined,
  );
  if (absent.length > 0) return { reason: `needs ${absent.join(", ")}` };
  return { value };
}

/** The alternative of a schema that the text fills best: with the most fields; of equal ones, the first. */
function fillBest(
  text: string,
  alternatives: readonly PlannerAgent["input"][],
  before: readonly string[],
): { value: unknown } | { reason: string } {
  const filled = alternatives.map((alternative) => fillInput(text, alternative, before));
  const good = filled.filter((each) => "value" in each);
  const fields = ({ value }: { value: unknown }) => Object.keys(value ?? {}).length;
  const best = good.toSorted((one, other) => fields(other) - fields(one))[0];
  return best ?? filled[0] ?? { reason: "has no alternative" };
}

/** Words that are no values, as in "the files of docs". */
const FILLERS: ReadonlySet<string> = new Set([
  "of",
  "in",
  "and",
  "the",
  "a",
  "an",
  "for",
  "with",
  "to",
  "on",
  "is",
]);

/** True when the text gives a field its value, as in `in the directory docs` or `directory=docs`; then the value has it. */
function isNamed(name: string, text: string, value: Record<string, unknown>): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) return false;
  const found = new RegExp(`\\b${name}\\s*(?:=|:|\\s)\\s*["']?([\\w./@-]+)`, "iu").exec(text);
  if (found?.[1] === undefined || FILLERS.has(found[1].toLowerCase())) return false;
  value[name] = found[1];
  return true;
}

function freeName(stem: string, names: Set<string>): string {
  const plain = stem.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 40);
  const first = /^[A-Za-z_]/.test(plain) ? plain : `s-${plain}`;
  let name = first;
  for (let at = 2; names.has(name); at++) name = `${first}-${at}`;
  names.add(name);
  return name;
}
