// A hand-off: an agent ends its part of a task and passes it, with what the next one needs, to another agent of the same
// capability. Owns what may be asked and its bounds; how it becomes durable is the work room's business.
import { z } from "zod";
import { decode, encode } from "../wire/codec.ts";
import { SwarmError } from "../wire/errors.ts";
import { parse, timeSchema, tokenSchema } from "../wire/schema.ts";
import { hopSchema } from "./result.ts";
import { labelsSchema, MAX_HAND_OFFS } from "./task.ts";

/** The most bytes of a hand-off's context, as JSON: it stands in the task's journal. What is larger belongs in a blob or a file. */
export const HAND_OFF_CONTEXT_LIMIT_BYTES = 65_536;

/** What an agent asks for when it hands a task off. */
export const handOffRequestSchema = z.strictObject({
  /** Who goes on: whom the office finds best among those who did not have the task yet, or a named agent. */
  to: z
    .union([z.literal("best"), z.strictObject({ agent: tokenSchema })], {
      error: 'must be "best" or { "agent": "<id>" }',
    })
    .default("best"),
  /** What the office should look for, over the task's own labels; the task keeps its own. */
  labels: labelsSchema.optional(),
  /** What the next agent gets to know: any JSON, at most {@link HAND_OFF_CONTEXT_LIMIT_BYTES}. */
  context: z.unknown().optional(),
});
/** What an agent asks for when it hands a task off. */
export type HandOffRequest = z.input<typeof handOffRequestSchema>;

/** A task's journal record of a hand-off. From it on, whoever receives the task passes it on, and nobody goes back before it. */
export const handOffRecordSchema = z.object({
  type: z.literal("handed"),
  /** The attempt that handed the task off, and its agent. */
  attempt: z.int(),
  agent: z.string(),
  at: timeSchema,
  /** The sequence of the task's message that it was handed off from: a placed message up to it is not to be performed. */
  message: z.int(),
  ...handOffRequestSchema.shape,
  /** Everybody who handed the task off, this agent last. */
  hops: z.array(hopSchema).max(MAX_HAND_OFFS),
});
/** A task's journal record of a hand-off. */
export type HandOffRecord = z.output<typeof handOffRecordSchema>;

/** What the agent that a task was handed to gets to know. */
export interface HandedOff {
  /** Who handed it off. */
  readonly from: string;
  /** What it passed on; undefined when it passed nothing. */
  readonly context: unknown;
  /** Everybody who handed the task off, the first one first. */
  readonly hops: readonly z.output<typeof hopSchema>[];
}

/** Ends an attempt: the task goes on with another agent. Thrown by `ctx.handOff`, which checks it. */
export class HandOff extends SwarmError {
  override readonly name = "HandOff";
  readonly request: z.output<typeof handOffRequestSchema>;
  constructor(request: z.output<typeof handOffRequestSchema>) {
    super("conflict", "the task was handed off to another agent");
    this.request = request;
  }
}

/**
 * Makes the hand-off of a task that `agent` performs, after the hand-offs `hops`.
 * @throws SwarmError never retryable: `invalid_input` naming the field; `payload_too_large`, field `context`; `not_permitted` of
 *   a ballot's question, and after {@link MAX_HAND_OFFS} hand-offs.
 */
export function makeHandOff(
  request: HandOffRequest,
  { agent, hops, isQuestion }: { agent: string; hops: readonly unknown[]; isQuestion: boolean },
): HandOff {
  if (isQuestion) {
    throw new SwarmError(
      "not_permitted",
      "a ballot's question cannot be handed off: the seat is this agent's; answer it, or return null to abstain",
    );
  }
  if (hops.length >= MAX_HAND_OFFS) {
    throw new SwarmError(
      "not_permitted",
      `a task is handed off at most ${MAX_HAND_OFFS} times, and this one was: finish it here, or throw what is wrong with it`,
    );
  }
  const { context, ...asked } = parse(handOffRequestSchema, request, "handOff");
  if (asked.to !== "best" && asked.to.agent === agent) {
    throw new SwarmError(
      "invalid_input",
      `handOff: to.agent: ${agent} has the task already; name another agent, or "best"`,
      { field: "to.agent" },
    );
  }
  return new HandOff(context === undefined ? asked : { ...asked, context: readContext(context) });
}

/** The context as the journal will give it back. */
function readContext(context: unknown): unknown {
  let text: string | undefined;
  try {
    text = JSON.stringify(context);
  } catch {
    // told below, like what JSON leaves out
  }
  if (text === undefined) {
    throw new SwarmError("invalid_input", `handOff: context: must be JSON, got ${typeof context}`, {
      field: "context",
    });
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > HAND_OFF_CONTEXT_LIMIT_BYTES) {
    throw new SwarmError(
      "payload_too_large",
      `handOff: context: at most ${HAND_OFF_CONTEXT_LIMIT_BYTES} bytes of JSON, got ${bytes}; keep what is larger elsewhere and pass where it is`,
      { field: "context" },
    );
  }
  return (decode(encode({ context: JSON.parse(text) as unknown })).value as { context: unknown }).context;
}
