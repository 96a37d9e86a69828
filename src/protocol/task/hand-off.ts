// A hand-off: an agent ends its part of a task and passes the task, with a context, to another agent of the same
// capability. Owns the request, its record and their bounds; the work room makes the hand-off durable.
import { z } from "zod";
import { decode, encode } from "../wire/codec.ts";
import { SwarmError } from "../wire/errors.ts";
import { checkPlainData } from "../wire/plain-data.ts";
import { nameSchema, parse, timeSchema } from "../wire/schema.ts";
import { hopSchema } from "./result.ts";
import { labelsSchema, MAX_HAND_OFFS } from "./task.ts";

/** The most bytes of a hand-off's context, as JSON. The journal stores it; larger data belongs in a blob or a file. */
export const HAND_OFF_CONTEXT_LIMIT_BYTES = 65_536;

/** The request of an agent that hands a task off. */
export const handOffRequestSchema = z.strictObject({
  /** The next agent. `best`: the office chooses among the agents that did not have the task yet. Or a named agent. */
  to: z
    .union([z.literal("best"), z.strictObject({ agent: nameSchema })], {
      error: 'must be "best" or { "agent": "<id>" }',
    })
    .default("best"),
  /** Labels for the office's choice. They override the task's labels for this choice only. */
  labels: labelsSchema.optional(),
  /** Data for the next agent: any JSON, at most {@link HAND_OFF_CONTEXT_LIMIT_BYTES}. */
  context: z.unknown().optional(),
});
/** The request of an agent that hands a task off. */
export type HandOffRequest = z.input<typeof handOffRequestSchema>;

/**
 * The record of a hand-off in a task's journal. Once it is stored, each host that receives the task passes it on, and no
 * attempt goes back to the time before it.
 */
export const handOffRecordSchema = z.object({
  type: z.literal("handed"),
  /** The number of the attempt that handed the task off, and its agent. */
  attempt: z.int(),
  agent: z.string(),
  at: timeSchema,
  /** The stream sequence of the message that delivered the task to this agent. Hosts skip placed messages up to it. */
  message: z.int(),
  ...handOffRequestSchema.shape,
  /** All agents that handed the task off, this agent last. */
  hops: z.array(hopSchema).max(MAX_HAND_OFFS),
});
/** The record of a hand-off in a task's journal. */
export type HandOffRecord = z.output<typeof handOffRecordSchema>;

/** The hand-off as the next agent sees it. */
export interface HandedOff {
  /** The agent that handed the task off. */
  readonly from: string;
  /** The context that the agent passed on. Undefined if it passed none. */
  readonly context: unknown;
  /** All agents that handed the task off, in that order. */
  readonly hops: readonly z.output<typeof hopSchema>[];
}

/** Ends an attempt and passes the task to another agent. `ctx.handOff` checks the request and throws this. */
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
 * @throws SwarmError never retryable: `invalid_input` naming the field; `payload_too_large`, field `context`; `not_permitted`
 *   for a ballot's question, and after {@link MAX_HAND_OFFS} hand-offs.
 */
export function makeHandOff(
  request: HandOffRequest,
  { agent, hops, isQuestion }: { agent: string; hops: readonly unknown[]; isQuestion: boolean },
): HandOff {
  if (isQuestion) {
    throw new SwarmError(
      "not_permitted",
      "a ballot's question cannot be handed off: the seat belongs to this agent; answer it, or return null to abstain",
    );
  }
  if (hops.length >= MAX_HAND_OFFS) {
    throw new SwarmError(
      "not_permitted",
      `a task may be handed off at most ${MAX_HAND_OFFS} times, and this task has reached the limit; finish it here, or throw an error`,
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

/** Returns the context as a later read of the journal will return it. */
function readContext(context: unknown): unknown {
  checkPlainData(context, "context");
  const text = JSON.stringify(context);
  const bytes = Buffer.byteLength(text);
  if (bytes > HAND_OFF_CONTEXT_LIMIT_BYTES) {
    throw new SwarmError(
      "payload_too_large",
      `handOff: context: at most ${HAND_OFF_CONTEXT_LIMIT_BYTES} bytes of JSON, got ${bytes}; store larger data elsewhere and pass a reference to it`,
      { field: "context" },
    );
  }
  return (decode(encode({ context: JSON.parse(text) as unknown })).value as { context: unknown }).context;
}
