// The operation that draws the swarm, or one ballot with its agents.
import { z } from "zod";
import { drawTopology, mostMessages } from "../../consensus/index.ts";
import { type BallotSpec, ballotSchema, parse, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { listAgents } from "../agents/roster.ts";
import { patience } from "../office/reads.ts";
import { defineOperation, type OperationContext } from "./operation.ts";
import { DRAWING_FORMATS, type DrawingFormat, drawSwarm } from "./swarm-drawing.ts";

const drawingSchema = z.object({
  drawing: z.string(),
  /** The most questions that the ballot can ask, when it is open or only planned. */
  mostMessages: z.int().optional(),
});
type Drawing = z.output<typeof drawingSchema>;

export const showTopology = defineOperation({
  name: "topology-show",
  summary: "draw the swarm, or a ballot",
  input: z.strictObject({
    ballot: tokenSchema.optional().meta({ description: "the id of a ballot; without it the swarm" }),
    format: z.enum(DRAWING_FORMATS).default("text").meta({ description: "how it is drawn" }),
  }),
  output: drawingSchema,
  errors: ["not_found"],
  access: "read",
  run: async (context, { ballot, format }) =>
    ballot === undefined
      ? { drawing: drawSwarm(await listAgents(context.transport), format) }
      : drawBallot(context, ballot, format),
});

/** Draws a ballot that is only planned. It needs no swarm. */
export function drawPlan(spec: BallotSpec, format: DrawingFormat): Drawing {
  return { drawing: drawTopology(spec, format), mostMessages: mostMessages(spec) };
}

/** Draws a ballot with its agents on its seats: an ended one from its verdict, an open one from the office. */
async function drawBallot(context: OperationContext, id: string, format: DrawingFormat): Promise<Drawing> {
  const ended = await findEnded(context, id);
  const { spec, agents } = ended ?? (await findOpen(context, id));
  const drawing = drawTopology(spec, format, (seat) => agents[seat - 1] ?? `seat ${seat}`);
  if (ended !== null) return { drawing }; // its verdict contains the number of questions that it asked
  const { maxMessages = Number.POSITIVE_INFINITY } = spec.budget ?? {};
  return { drawing, mostMessages: Math.min(mostMessages(spec), maxMessages) };
}

/** A ballot, and the agent of each seat. */
interface SeatedBallot {
  spec: BallotSpec;
  agents: string[];
}

async function findEnded({ tasks }: OperationContext, id: string): Promise<SeatedBallot | null> {
  const { result } = await tasks.status(id);
  if (result?.verdict === undefined) return null;
  const { seats, topology, depth, fanOut, neighbours, rounds } = result.verdict;
  const agents = seats.map(({ agent }) => agent);
  const shape = Object.entries({ depth, fanOut, neighbours }).filter(([, value]) => value !== undefined);
  const wasDebate = (topology === "star" || topology === "tree") && rounds > 1;
  const fields = {
    seats: seats.length,
    strategy: "majority",
    topology,
    ...Object.fromEntries(shape),
    ...(wasDebate ? { onDisagreement: "debate" } : {}),
    ...(rounds > 1 ? { rounds } : {}),
  };
  return { spec: parse(ballotSchema, fields, "verdict"), agents };
}

async function findOpen(context: OperationContext, id: string): Promise<SeatedBallot> {
  const { spec, votes } = await context.office.read("ballot", { id }, patience(context));
  if (spec !== null) return { spec, agents: votes.map(({ agent }) => agent) };
  throw new SwarmError(
    "not_found",
    `ballot ${id} ended without a verdict; murmur ballot show ${id} tells more`,
    { field: "ballot" },
  );
}
