// `ballot …`: see ballots, decide one that waits for a person, and tell what the right answer was.
import { userInfo } from "node:os";
import { z } from "zod";
import { newId } from "../../base/index.ts";
import type { BallotLine } from "../../coordinator/index.ts";
import { type Result, resultSchema, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { defineCommand, type Ports } from "../command.ts";
import { printable, showDuration, table } from "../terminal.ts";
import { readJson } from "./config.ts";
import { openOffice, patience, readOffice, showAge, staleFacts, staleFlag } from "./office.ts";
import { renderVerdict } from "./task-view.ts";

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

const pageSchema = lineSchema.extend({
  rounds: z.int(),
  votes: z.array(
    z.object({
      seat: z.int(),
      agent: z.string(),
      model: z.string().optional(),
      state: z.enum(["open", "answered", "abstained"]),
      value: z.unknown().optional(),
    }),
  ),
  /** Of one that waits for a person: what to choose from. */
  candidates: z.array(z.object({ candidate: z.int(), value: z.unknown() })),
  /** From ballots of this capability whose right answer somebody told. */
  statistics: z.object({
    voters: z.array(
      z.object({ voter: z.string(), accuracy: rateSchema.nullable(), cases: z.int(), weight: z.number() }),
    ),
    correlations: z.array(z.object({ voters: z.array(z.string()), correlation: z.number() })),
    effectiveVoters: z.number().nullable(),
    single: z
      .object({
        cases: z.int(),
        ballotAccuracy: z.number(),
        singleAccuracy: z.number(),
        gain: rateSchema,
        tokenRatio: z.number().nullable(),
        costRatio: z.number().nullable(),
        finding: z.string().nullable(),
      })
      .nullable(),
  }),
  result: resultSchema.nullable(),
});
type Page = z.output<typeof pageSchema>;

export const ls = defineCommand({
  input: z.strictObject({ stale: staleFlag }),
  output: z.object({ ballots: z.array(lineSchema), ...staleFacts.shape }),
  examples: ["ballot ls", "ballot ls --json"],
  details: "Open ballots first, then the newest of those that ended; the last 1,024 are remembered.",
  run: async (ports, { stale }) =>
    (await readOffice(ports, "ballots", { stale })) as { ballots: BallotLine[] },
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
    "What each seat said, how that became a verdict, and what is known of such voters from ballots whose right answer\nsomebody told (ballot correct): accuracy, correlated errors, and whether one agent would have been as good.",
  async run(ports, { id: ballot }) {
    const office = await openOffice(ports);
    const page = (await office.read("ballot", { id: ballot }, patience(ports))) as unknown as Omit<
      Page,
      "result"
    >;
    return { ...page, result: await findResult(ports, page) };
  },
  render(page) {
    const { id: ballot, capability, strategy, state, openedAt, endedAt, votes, candidates, result } = page;
    const took = endedAt === null ? "" : `, took ${showDuration(Date.parse(endedAt) - Date.parse(openedAt))}`;
    const head = `ballot ${ballot}  ${capability}  ${strategy}: ${state}, opened ${openedAt}${took}`;
    const said = votes.map(({ seat, agent, state: vote, value }) => [
      String(seat),
      agent,
      value === undefined ? vote : JSON.stringify(value).slice(0, 60),
    ]);
    const middle =
      result?.verdict === undefined
        ? table(["SEAT", "AGENT", "SAID"], said, "no seats")
        : renderVerdict(result.verdict);
    return [head, middle, ...renderCandidates(ballot, candidates), ...renderStatistics(page.statistics)].join(
      "\n",
    );
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
    await office.read("ballot-decide", { id: ballot, by: userInfo().username, ...said }, patience(ports));
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
    "Tells what the right answer of an ended ballot was, as it stands at the ballot's pointer after normalising. From this\nvoters get their accuracy, and weighted ballots their weights. Told again, the last one counts.",
  async run(ports, { id: ballot, value }) {
    const office = await openOffice(ports);
    const body = { id: ballot, key: newId(), value: readJson(value, "value") };
    return (await office.read("ballot-correct", body, patience(ports))) as never;
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

function renderCandidates(ballot: string, candidates: Page["candidates"]): string[] {
  if (candidates.length === 0) return [];
  return [
    "",
    "waits for a person:",
    ...candidates.map(({ candidate, value }) => `  ${candidate}  ${JSON.stringify(value).slice(0, 100)}`),
    `  murmur ballot decide ${ballot} --choice N`,
  ];
}

function renderStatistics({ voters, correlations, effectiveVoters, single }: Page["statistics"]): string[] {
  const known = voters.filter(({ accuracy }) => accuracy !== null);
  if (known.length === 0) return ["", "no right answers are known yet: murmur ballot correct tells one"];
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  return [
    "",
    table(
      ["VOTER", "RIGHT", "95 % BETWEEN", "CASES", "WEIGHT"],
      known.map(({ voter, accuracy, cases, weight }) => [
        printable(voter),
        percent(accuracy!.rate),
        `${percent(accuracy!.low)} and ${percent(accuracy!.high)}`,
        String(cases),
        weight.toFixed(2),
      ]),
      "",
    ),
    ...correlations.map(
      ({ voters: [one = "", other = ""], correlation }) =>
        `errors of ${printable(one)} and ${printable(other)} correlate by ${correlation.toFixed(2)}`,
    ),
    ...(effectiveVoters === null ? [] : [`worth ${effectiveVoters.toFixed(1)} independent voters`]),
    ...(single?.finding == null ? [] : [single.finding]),
  ];
}
