// The placement of a routed task: the request to the office, its reply, and the header that carries the choice and its
// reasons with the placed message. Owns the schemas and their bounds. Hosts send the request, and the coordinator makes
// the choice.
import { z } from "zod";
import { decode } from "../wire/codec.ts";
import { SwarmError } from "../wire/errors.ts";
import { classSchema, isTime, nameSchema, parse, timeSchema, tokenSchema } from "../wire/schema.ts";
import { CLASS_PATTERN, isToken, PRIORITIES, PRIORITY_WEIGHTS, showValue } from "../wire/subjects.ts";

/** The most bytes of a `Murmur-Placement` header. A message of the task stream has 16 KiB for its subject and all headers. */
export const PLACEMENT_LIMIT_BYTES = 4_096;
/** The longest beginning of a task's input in a request, in UTF-16 code units: enough to find triggers, and still small. */
export const PLACE_TEXT_LIMIT = 4_096;
/** The most reasons of one choice. */
export const MAX_REASONS = 16;
/** The longest name of a reason, and the longest text of its value, in UTF-16 code units. */
const MAX_REASON_NAME = 64;
const MAX_REASON_TEXT = 128;
/** The most agents that a request excludes: more than the most hand-offs of a task. */
export const MAX_EXCLUDED = 16;

/** The route of a task: `queue` for any free agent, `best` for the agent that the office chooses, or a named agent. */
export const routeSchema = z.union([z.enum(["queue", "best"]), z.strictObject({ agent: nameSchema })], {
  error: 'must be "queue", "best" or { "agent": "<id>" }',
});
/** A task's route. */
export type Route = z.output<typeof routeSchema>;

/** One reason of a choice. `weight` is its part of the score. */
export const placementReasonSchema = z.object({
  what: z.string().min(1).max(MAX_REASON_NAME),
  value: z.union([z.number(), z.string().max(MAX_REASON_TEXT)]),
  weight: z.number().optional(),
});
/** One reason of a choice. */
export type PlacementReason = z.output<typeof placementReasonSchema>;

/** The request on `<p>.office.place`. */
export const placeRequestSchema = z.object({
  taskId: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: tokenSchema,
  route: z.union([z.literal("best"), z.strictObject({ agent: tokenSchema })]),
  labels: z.record(tokenSchema, z.string()).optional(),
  /** The agents that had the task and handed it off. `best` chooses none of them. */
  exclude: z.array(tokenSchema).max(MAX_EXCLUDED).optional(),
  /** The beginning of the input as text. The office searches it for triggers. */
  text: z.string().max(PLACE_TEXT_LIMIT).optional(),
});
/** The request on `<p>.office.place`. */
export type PlaceRequest = z.output<typeof placeRequestSchema>;

/** The office's choice. The reasons with the largest weights come first. */
export const placeReplySchema = z.object({
  /** The class of the agent's host; absent means `default`. */
  class: classSchema.optional(),
  host: tokenSchema,
  agent: tokenSchema,
  score: z.number(),
  reasons: z.array(placementReasonSchema).max(MAX_REASONS),
});
/** The office's choice. */
export type PlaceReply = z.output<typeof placeReplySchema>;

/**
 * The placement of a task: its host, its agent and the reasons. It is the `Murmur-Placement` header of a placed message, and
 * `placement` in the result. Capability and priority are here because the subject of a placed message does not have them.
 */
export const placementSchema = placeReplySchema.extend({
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  placedAt: timeSchema,
  /** The time at which the task entered its queue, before it was placed. Its waiting time is measured from here. */
  queuedAt: timeSchema.optional(),
  /** The sequence in the journal of the last hand-off before this placement; absent without one. */
  handOff: z.int().optional(),
});
/** The placement of a task: its host, its agent and the reasons. */
export type Placement = z.output<typeof placementSchema>;

/**
 * Encodes a placement as a header's value: JSON in ASCII, because NATS clients disagree about other encodings of headers.
 * Reasons that do not fit into {@link PLACEMENT_LIMIT_BYTES} are left out, starting with the last.
 */
export function encodePlacement(placement: Placement): string {
  for (let count = placement.reasons.length; ; count--) {
    const isWhole = count === placement.reasons.length;
    const shown = isWhole ? placement : { ...placement, reasons: placement.reasons.slice(0, count) };
    const text = JSON.stringify(shown).replace(
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
  const plain = readPlainPlacement(header);
  if (plain !== undefined) return plain;
  const { value } = decode(Buffer.from(header), "application/json");
  return parse(placementSchema, value, "Murmur-Placement");
}

/**
 * Reads a placement that has only known fields, each with a good value, as {@link placementSchema} does; undefined for every other
 * text, which the codec and the schema must judge. Each seat of a ballot has one, and the schema costs several times as much.
 */
export function readPlainPlacement(text: string): Placement | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isPlainPlacement(value) ? value : undefined;
}

function isPlainPlacement(value: unknown): value is Placement {
  if (typeof value !== "object" || value === null) return false;
  for (const key in value) if (!Object.hasOwn(placementSchema.shape, key)) return false;
  const placement = value as Placement;
  const { host, agent, score, reasons, capability, priority, placedAt, queuedAt, handOff } = placement;
  return (
    (placement.class === undefined || isClassText(placement.class)) &&
    isTokenText(host) &&
    isTokenText(agent) &&
    Number.isFinite(score) &&
    Array.isArray(reasons) &&
    reasons.length <= MAX_REASONS &&
    reasons.every(isPlainReason) &&
    isTokenText(capability) &&
    Object.hasOwn(PRIORITY_WEIGHTS, priority) &&
    typeof priority === "string" &&
    isTimeText(placedAt) &&
    (queuedAt === undefined || isTimeText(queuedAt)) &&
    (handOff === undefined || Number.isSafeInteger(handOff))
  );
}

function isPlainReason(reason: unknown): boolean {
  if (typeof reason !== "object" || reason === null) return false;
  for (const key in reason) if (!Object.hasOwn(placementReasonSchema.shape, key)) return false;
  const { what, value, weight } = reason as PlacementReason;
  return (
    typeof what === "string" &&
    what.length >= 1 &&
    what.length <= MAX_REASON_NAME &&
    (typeof value === "string" ? value.length <= MAX_REASON_TEXT : Number.isFinite(value)) &&
    (weight === undefined || Number.isFinite(weight))
  );
}

const isClassText = (value: unknown) => typeof value === "string" && CLASS_PATTERN.test(value);
const isTokenText = (value: unknown) => typeof value === "string" && isToken(value);
const isTimeText = (value: unknown) => typeof value === "string" && isTime(value);
