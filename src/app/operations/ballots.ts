// Operations on ballots: see them, decide a ballot that waits for a person, and record the right answer.
import { z } from "zod";
import { newId } from "../../base/index.ts";
import {
  ballotSchema,
  evidenceSchema,
  type Result,
  resultSchema,
  SwarmError,
  tokenSchema,
} from "../../protocol/index.ts";
import { ageFields, patience, readOffice, staleField } from "../office/reads.ts";
import { defineOperation, type OperationContext } from "./operation.ts";

const id = tokenSchema.meta({ description: "the id of the ballot's task" });

const lineSchema = z.object({
  id: z.string(),
  capability: z.string(),
  strategy: z.string(),
  topology: z.string(),
  /** `asking`, `consulting`, `human`, `publishing`; or the outcome of a ballot that ended. */
  state: z.string(),
  seats: z.int(),
  answered: z.int(),
  agreement: z.number().nullable(),
  openedAt: z.string(),
  endedAt: z.string().nullable(),
});

const rateSchema = z.object({ rate: z.number(), low: z.number(), high: z.number() });
/** The share of right answers in the ballots of this capability whose right answer is known, and their number. */
const scoreFacts = { accuracy: rateSchema.nullable(), cases: z.int() };

/** The record of these agents, and of earlier ballots with this capability, strategy and topology. */
const statisticsSchema = z.object({
  /** The ballots whose right answer is known and whose seats answered alone. */
  cases: z.int(),
  agents: z.array(
    z.object({
      agent: z.string(),
      voter: z.string(),
      ...scoreFacts,
      /** The probability that the agent is right next time, and its weight in a weighted ballot. */
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
      /** The mean agreement of the decided ballots. */
      agreement: z.number().nullable(),
      /** The ballots whose first seat had its turn, and how many of them decided otherwise than that seat alone. */
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
  /** The ballot as it was submitted; null for a ballot that ended. */
  spec: ballotSchema.nullable(),
  votes: z.array(
    z.object({
      seat: z.int(),
      agent: z.string(),
      model: z.string().optional(),
      /** `silent`: the ballot ended without a valid answer from this seat. */
      state: z.enum(["open", "answered", "abstained", "silent"]),
      value: z.unknown().optional(),
      /** The reason of an abstention. */
      reason: z.string().optional(),
    }),
  ),
  /** The refused votes of an open ballot. For a ballot that ended, its verdict contains them. */
  evidence: z.array(evidenceSchema),
  /** The values to choose from, when the ballot waits for a person. */
  candidates: z.array(z.object({ candidate: z.int(), value: z.unknown() })),
  statistics: statisticsSchema,
  result: resultSchema.nullable(),
});
/** All facts about one ballot. */
export type BallotDetails = z.output<typeof pageSchema>;

export const listBallots = defineOperation({
  name: "ballot-list",
  summary: "list ballots",
  input: z.strictObject({ stale: staleField }),
  output: z.object({ ballots: z.array(lineSchema), ...ageFields.shape }),
  errors: [],
  access: "read",
  run: (context, { stale }) => readOffice(context, "ballots", { stale }),
});

export const showBallot = defineOperation({
  name: "ballot-show",
  summary: "explain one ballot",
  input: z.strictObject({ id }),
  output: pageSchema,
  errors: ["not_found"],
  access: "read",
  reach: ({ id: task }) => ({ task }),
  async run(context, { id: ballot }) {
    const page = await context.office.read("ballot", { id: ballot }, patience(context));
    return { ...page, result: page.endedAt === null ? null : await findResult(context, ballot) };
  },
});

export const decideBallot = defineOperation({
  name: "ballot-decide",
  summary: "decide a ballot as a person",
  input: z
    .strictObject({
      id,
      choice: z.int().min(1).optional().meta({ description: "the number of a candidate" }),
      value: z.json().optional().meta({ description: "instead: another value" }),
    })
    .refine(({ choice, value }) => (choice === undefined) !== (value === undefined), {
      error: "give one of `choice` and `value`",
      path: ["choice"],
    }),
  output: z.object({ decided: z.literal(true) }),
  /** `conflict`: the ballot does not wait for a person. */
  errors: ["not_found", "conflict"],
  access: "operate",
  audit: { keepsBack: ["value"] },
  async run(context, { id: ballot, choice, value }) {
    const decision = value === undefined ? { choice } : { value };
    const body = { id: ballot, by: context.caller.name, ...decision };
    await context.office.read("ballot-decide", body, patience(context));
    return { decided: true as const };
  },
});

export const correctBallot = defineOperation({
  name: "ballot-correct",
  summary: "record a ballot's right answer",
  input: z.strictObject({ id, value: z.json().meta({ description: "the right value" }) }),
  output: z.object({ corrected: z.literal(true), wasRight: z.boolean(), isCounted: z.boolean() }),
  errors: ["not_found", "conflict"],
  access: "operate",
  audit: { keepsBack: ["value"] },
  async run(context, { id: ballot, value }) {
    const body = { id: ballot, key: newId(), value };
    return context.office.read("ballot-correct", body, patience(context));
  },
});

/** The result of a ballot's task; null when the stream keeps it no longer. */
async function findResult({ tasks }: OperationContext, taskId: string): Promise<Result | null> {
  try {
    return (await tasks.status(taskId)).result ?? null;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "not_found") return null;
    throw error;
  }
}
