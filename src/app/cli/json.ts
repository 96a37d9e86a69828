// JSON that is given on the command line.
import type { z } from "zod";
import { utf8Bytes } from "../../base/index.ts";
import { CONTENT_TYPES, decode, SwarmError, toSwarmError } from "../../protocol/index.ts";

/** A JSON value, as the schemas of operations type it. */
export type JsonValue = z.output<ReturnType<typeof z.json>>;

/** Reads the JSON of a flag. @throws SwarmError `invalid_input` naming `field`. */
export function readJson(text: string, field: string): JsonValue {
  try {
    return decode(utf8Bytes(text), CONTENT_TYPES.json).value as JsonValue;
  } catch (error) {
    throw new SwarmError(
      "invalid_input",
      `${field} must be JSON (quote a text: '"text"'), got ${JSON.stringify(text.slice(0, 80))}: ${toSwarmError(error).message}`,
      { field },
    );
  }
}
