// Which agent a routed task goes to, and why: the question to the office, its answer, and the header that carries the
// decision with the placed message. Owns their bounds; how the choice is made is the coordinator's business.
import { z } from "zod";
import { decode } from "../wire/codec.ts";
import { SwarmError } from "../wire/errors.ts";
import { parse, timeSchema, tokenSchema } from "../wire/schema.ts";
import { PRIORITIES, showValue } from "../wire/subjects.ts";

/** The most bytes of a `Murmur-Placement` header: a task's body may fill its message up to 16 KiB of headers. */
export const PLACEMENT_LIMIT_BYTES = 4_096;
/** How much of a task's input the office is shown, in UTF-16 code units: enough for triggers, little enough for the log of a request. */
export const PLACE_TEXT_LIMIT = 4_096;
/** The most reasons of one choice. */
export const MAX_REASONS = 16;
/** The most agents that a choice leaves out: more than a task is handed off. */
export const MAX_EXCLUDED = 16;

/** Who takes a task: whichever agent is free, the one that the office finds best, or a named one. */
export const routeSchema = z.union([z.enum(["queue", "best"]), z.strictObject({ agent: tokenSchema })], {
  error: 'must be "queue", "best" or { "agent": "<id>" }',
});
/** A task's route. */
export type Route = z.output<typeof routeSchema>;

/** One reason of a choice. `weight` is what it added to the score. */
export const placementReasonSchema = z.object({
  what: z.string().min(1).max(64),
  value: z.union([z.number(), z.string().max(128)]),
  weight: z.number().optional(),
});
/** One reason of a choice. */
export type PlacementReason = z.output<typeof placementReasonSchema>;

/** What the office is asked on `<p>.office.place`. */
export const placeRequestSchema = z.object({
  taskId: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: tokenSchema,
  route: z.union([z.literal("best"), z.strictObject({ agent: tokenSchema })]),
  labels: z.record(tokenSchema, z.string()).optional(),
  /** Agents that had the task and handed it off: `best` chooses none of them. */
  exclude: z.array(tokenSchema).max(MAX_EXCLUDED).optional(),
  /** The beginning of the input as text: what triggers are looked for in. */
  text: z.string().max(PLACE_TEXT_LIMIT).optional(),
});
/** What the office is asked on `<p>.office.place`. */
export type PlaceRequest = z.output<typeof placeRequestSchema>;

/** The office's choice. The reasons that weigh most come first. */
export const placeReplySchema = z.object({
  host: tokenSchema,
  agent: tokenSchema,
  score: z.number(),
  reasons: z.array(placementReasonSchema).max(MAX_REASONS),
});
/** The office's choice. */
export type PlaceReply = z.output<typeof placeReplySchema>;

/**
 * Where a task was placed, by whom it is performed, and why: the `Murmur-Placement` header of a placed message, and
 * `placement` of its result. Capability and priority are here because the placed subject has no room for them.
 */
export const placementSchema = placeReplySchema.extend({
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  placedAt: timeSchema,
  /** When the task came to the queue that it was placed from: its time of waiting begins there. */
  queuedAt: timeSchema.optional(),
});
/** Where a task was placed, and why. */
export type Placement = z.output<typeof placementSchema>;

/**
 * A placement as a header's value: JSON in ASCII, because header values of other encodings are read differently by
 * different clients. Reasons that do not fit into {@link PLACEMENT_LIMIT_BYTES} are left out, the last ones first.
 */
export function encodePlacement(placement: Placement): string {
  for (let count = placement.reasons.length; ; count--) {
    const text = JSON.stringify({ ...placement, reasons: placement.reasons.slice(0, count) }).replace(
      /[\u007f-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    if (text.length <= PLACEMENT_LIMIT_BYTES || count === 0) return text;
  }
}

/** Reads a `Murmur-Placement` header. @throws SwarmError `invalid_input`, field `Murmur-Placement` or a field of it. */
export function readPlacement(header: string | undefined): Placement {
  if (header === undefined || header.length > PLACEMENT_LIMIT_BYTES) {
    throw new SwarmError(
      "invalid_input",
      `Murmur-Placement must be JSON of at most ${PLACEMENT_LIMIT_BYTES} bytes, got ${header === undefined ? "none" : showValue(header)}`,
      { field: "Murmur-Placement" },
    );
  }
  const { value } = decode(Buffer.from(header), "application/json");
  return parse(placementSchema, value, "Murmur-Placement");
}
