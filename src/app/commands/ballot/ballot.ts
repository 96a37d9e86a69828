// `ballot …`: see ballots, decide one that waits for a person, and tell what the right answer was.
import { z } from "zod";
import { newId } from "../../../base/index.ts";
import {
  ballotSchema,
  evidenceSchema,
  type Result,
  resultSchema,
  SwarmError,
  tokenSchema,
} from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { printable, showDuration, table } from "../../cli/terminal.ts";
import { operatorName } from "../../office/operator.ts";
import { readJson } from "../config.ts";
import { openOffice, patience, readOffice, showAge, staleFacts, staleFlag } from "../office.ts";
import { renderEvidence, renderVerdict, showShort } from "./verdict-view.ts";

const id = tokenSchema.meta({ positional: true, value: "ID", description: "the id of the ballot's task" });

const lineSchema = z.object({
  id: z.string(),
  capability: z.string(),
  strategy: z.string(),
  topology: z.string(),
  /** `asking`, `consulting`, `human`, `publishing`; or how it ended. */
  state: z.string(),
  seats: z.int(),
  answered: z.int(),
  agreement: z.number().nullable(),
  openedAt: z.string(),
  endedAt: z.string().nullable(),
});

const rateSchema = z.object({ rate: z.number(), low: z.number(), high: z.number() });
/** How often somebody was right, of ballots of this capability whose right answer is known. */
const scoreFacts = { accuracy: rateSchema.nullable(), cases: z.int() };

/** What is known over time of these agents, and of ballots of this capability, strategy and topology. */
const statisticsSchema = z.object({
  /** Ballots whose right answer is known and whose seats answered alone. */
  cases: z.int(),
  agents: z.array(
    z.object({
      agent: z.string(),
      voter: z.string(),
      ...scoreFacts,
      /** How likely it is right next time, and what it weighs in a weighted ballot. */
      expected: z.number(),
      weight: z.number(),
    }),
  ),
  /** The agents' kinds (role and model). */
  voters: z.array(z.object({ voter: z.string(), ...scoreFacts })),
  models: z.array(z.object({ model: z.string(), ...scoreFacts })),
  correlations: z.array(z.object({ voters: z.array(z.string()), correlation: z.number() })),
  meanCorrelation: z.number().nullable(),
  effectiveVoters: z.number().nullable(),
  single: z
    .object({
      ballots: z.int(),
      decided: z.int(),
      /** The mean agreement of the decided ones. */
      agreement: z.number().nullable(),
      /** Ballots whose first seat had its turn, and how many decided for something else than it said alone. */
      compared: z.int(),
      differed: z.int(),
      tokenRatio: z.number().nullable(),
      costRatio: z.number().nullable(),
      judged: z
        .object({
          cases: z.int(),
          ballotAccuracy: z.number(),
          singleAccuracy: z.number(),
          gain: rateSchema,
        })
        .nullable(),
      finding: z.string().nullable(),
    })
    .nullable(),
});

const pageSchema = lineSchema.extend({
  rounds: z.int(),
  /** The ballot as it was asked for; null of one that ended. */
  spec: ballotSchema.nullable(),
  votes: z.array(
    z.object({
      seat: z.int(),
      agent: z.string(),
      model: z.string().optional(),
      /** `silent`: the ballot ended without a valid answer of it. */
      state: z.enum(["open", "answered", "abstained", "silent"]),
      value: z.unknown().optional(),
      /** Why it abstained. */
      reason: z.string().optional(),
    }),
  ),
  /** Refused votes of an open ballot; those of one that ended are in its verdict. */
  evidence: z.array(evidenceSchema),
  /** Of one that waits for a person: what to choose from. */
  candidates: z.array(z.object({ candidate: z.int(), value: z.unknown() })),
  statistics: statisticsSchema,
  result: resultSchema.nullable(),
});
type Page = z.output<typeof pageSchema>;

export const ls = defineCommand({
  input: z.strictObject({ stale: staleFlag }),
  output: z.object({ ballots: z.array(lineSchema), ...staleFacts.shape }),
  examples: ["ballot ls", "ballot ls --json"],
  details: "Open ballots first, then the newest of those that ended; the last 1,024 are remembered.",
  run: (ports, { stale }) => readOffice(ports, "ballots", { stale }),
  render: ({ ballots, ...age }) =>
    showAge(
      table(
        ["BALLOT", "CAPABILITY", "STRATEGY", "STATE", "ANSWERS", "AGREEMENT", "OPENED"],
        ballots.map(({ id: ballot, capability, strategy, state, answered, seats, agreement, openedAt }) => [
          ballot,
          capability,
          strategy,
          state,
          `${answered}/${seats}`,
          agreement === null ? "-" : `${Math.round(agreement * 100)} %`,
          openedAt,
        ]),
        "no ballots",
      ),
      age,
    ),
});

export const show = defineCommand({
  input: z.strictObject({ id }),
  output: pageSchema,
  examples: ["ballot show 01JD2M0YQ3", "ballot show 01JD2M0YQ3 --json"],
  details:
    "What each seat said and how that became a verdict; then what ballots of this kind came to over time against one agent,\nand what is known of these agents from ballots whose right answer is known (truth in the ballot, or ballot correct):\naccuracy, weights, correlated errors, and whether one agent was as good.",
  async run(ports, { id: ballot }) {
    const office = await openOffice(ports);
    const page = await office.read("ballot", { id: ballot }, patience(ports));
    return { ...page, result: await findResult(ports, page) };
  },
  render(page) {
    const { id: ballot, candidates, evidence, result } = page;
    const middle =
      result?.verdict === undefined
        ? [renderVotes(page), ...renderEvidence(evidence)]
        : [renderVerdict(result.verdict)];
    return [
      renderHead(page),
      ...middle,
      ...renderCandidates(ballot, candidates),
      ...renderStatistics(page.statistics),
    ].join("\n");
  },
});

export const decide = defineCommand({
  input: z.strictObject({
    id,
    choice: z.int().min(1).optional().meta({ description: "the number of a candidate", value: "N" }),
    value: z.string().optional().meta({ description: "instead: another value, as JSON", value: "JSON" }),
  }),
  output: z.object({ decided: z.literal(true) }),
  examples: ["ballot decide 01JD2M0YQ3 --choice 2", `ballot decide 01JD2M0YQ3 --value '"spam"'`],
  details:
    "For a ballot with onDisagreement human whose seats do not agree; ballot show lists the candidates. The verdict says\nwho decided.",
  async run(ports, { id: ballot, choice, value }) {
    if ((choice === undefined) === (value === undefined)) {
      throw new SwarmError("invalid_input", "give one of --choice and --value", { field: "choice" });
    }
    const office = await openOffice(ports);
    const said = value === undefined ? { choice } : { value: readJson(value, "value") };
    await office.read("ballot-decide", { id: ballot, by: operatorName(), ...said }, patience(ports));
    return { decided: true as const };
  },
  render: () => "decided",
});

export const correct = defineCommand({
  input: z.strictObject({
    id,
    value: z.string().meta({ description: "the right value, as JSON", value: "JSON" }),
  }),
  output: z.object({ corrected: z.literal(true), wasRight: z.boolean(), isCounted: z.boolean() }),
  examples: [`ballot correct 01JD2M0YQ3 --value '"spam"'`],
  details:
    "Tells what the right answer of an ended ballot was, as it should stand at the ballot's pointer; of a ranked ballot the\nright candidate. From this agents get their accuracy, and weighted ballots their weights. Told again, the last one counts.",
  async run(ports, { id: ballot, value }) {
    const office = await openOffice(ports);
    const body = { id: ballot, key: newId(), value: readJson(value, "value") };
    return office.read("ballot-correct", body, patience(ports));
  },
  render: ({ wasRight, isCounted }) =>
    `the verdict was ${wasRight ? "right" : "wrong"}${isCounted ? "" : "; seats saw each other's answers, so this says nothing of each alone"}`,
});

async function findResult(
  ports: Ports,
  { id: ballot, endedAt }: Omit<Page, "result">,
): Promise<Result | null> {
  if (endedAt === null) return null;
  const tasks = await ports.tasks();
  try {
    return (await tasks.status(ballot)).result ?? null;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "not_found") return null; // it aged out
    throw error;
  }
}

function renderHead({ id: ballot, capability, strategy, state, openedAt, endedAt, spec }: Page): string {
  const ran =
    endedAt !== null
      ? `, took ${showDuration(Date.parse(endedAt) - Date.parse(openedAt))}`
      : spec === null
        ? ""
        : `, ends at ${new Date(Date.parse(openedAt) + spec.timeoutMs).toISOString()} at the latest`;
  return `ballot ${ballot}  ${capability}  ${strategy}: ${STATE_WORDS[state] ?? state}, opened ${openedAt}${ran}`;
}

const STATE_WORDS: Readonly<Record<string, string>> = {
  asking: "waits for answers",
  consulting: "waits for its judge or verifier",
  human: "waits for a person",
  publishing: "is decided, its result is being stored",
};

function renderVotes({ votes }: Page): string {
  const rows = votes.map(({ seat, agent, model, state, value, reason }) => [
    String(seat),
    `${agent}${model === undefined ? "" : ` (${model})`}`,
    state === "answered" && value !== undefined ? showShort(value) : VOTE_WORDS[state],
    reason ?? "",
  ]);
  return table(["SEAT", "AGENT", "SAID", ""], rows, "no seats");
}

const VOTE_WORDS: Record<Page["votes"][number]["state"], string> = {
  open: "nothing yet",
  answered: "answered",
  abstained: "abstained",
  silent: "no valid answer",
};

function renderCandidates(ballot: string, candidates: Page["candidates"]): string[] {
  if (candidates.length === 0) return [];
  return [
    "",
    "waits for a person:",
    ...candidates.map(({ candidate, value }) => `  ${candidate}  ${showShort(value)}`),
    `  murmur ballot decide ${ballot} --choice N   (or --value JSON)`,
  ];
}

function renderStatistics(statistics: Page["statistics"]): string[] {
  return [...renderSingle(statistics.single), ...renderVoters(statistics)];
}

/** What ballots of this kind came to over time, against one agent. */
function renderSingle(single: Page["statistics"]["single"]): string[] {
  if (single === null) return [];
  const { ballots, decided, agreement, compared, differed, tokenRatio, costRatio, judged, finding } = single;
  const prices = [
    tokenRatio === null ? [] : [`${tokenRatio.toFixed(1)} times its tokens`],
    costRatio === null ? [] : [`${costRatio.toFixed(1)} times its money`],
  ].flat();
  return [
    "",
    `${ballots} ballots of this kind so far: ${decided} decided${agreement === null ? "" : `, ${percent(agreement)} agree on average`}`,
    ...(compared === 0
      ? ["none of them waited for the agent on the first seat, which each is compared with"]
      : [
          `against one agent: ${differed} of ${compared} said something else${prices.length === 0 ? "" : `, at ${prices.join(" and ")}`}`,
        ]),
    ...(judged === null
      ? []
      : [
          `right in ${percent(judged.ballotAccuracy)} of ${judged.cases}, one agent in ${percent(judged.singleAccuracy)}: a gain between ${points(judged.gain.low)} and ${points(judged.gain.high)} points`,
        ]),
    ...(finding === null ? [] : [finding]),
  ];
}

/** What is known of the agents from ballots whose right answer is known. */
function renderVoters({
  cases,
  agents,
  models,
  correlations,
  effectiveVoters,
}: Page["statistics"]): string[] {
  if (cases === 0) return ["", "no right answers are known yet: murmur ballot correct tells one"];
  const between = ({ accuracy, cases: judged }: (typeof models)[number] | (typeof agents)[number]) =>
    accuracy === null
      ? ["-", "-", "0"]
      : [percent(accuracy.rate), `${percent(accuracy.low)} and ${percent(accuracy.high)}`, String(judged)];
  return [
    "",
    table(
      ["AGENT", "KIND", "RIGHT", "95 % BETWEEN", "CASES", "EXPECTED", "WEIGHT"],
      agents.map((agent) => [
        printable(agent.agent),
        printable(agent.voter),
        ...between(agent),
        percent(agent.expected),
        agent.weight.toFixed(2),
      ]),
      "",
    ),
    ...(models.length === 0
      ? []
      : [
          table(
            ["MODEL", "RIGHT", "95 % BETWEEN", "CASES"],
            models.map((model) => [printable(model.model), ...between(model)]),
            "",
          ),
        ]),
    ...correlations.map(
      ({ voters: [one = "", other = ""], correlation }) =>
        `errors of ${printable(one)} and ${one === other ? "others of its kind" : printable(other)} correlate by ${correlation.toFixed(2)}`,
    ),
    ...(effectiveVoters === null ? [] : [`worth ${effectiveVoters.toFixed(1)} independent voters`]),
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function points(share: number): string {
  return (share * 100).toFixed(1);
}
