// The message about an agent's file that cannot be loaded: the reason, the place with its line, and the next step.
import { showValue } from "../../protocol/index.ts";
import { adviseLoad } from "./advice.ts";
import { findPlace, showPlace } from "./place.ts";

/** Characters of a reason: it may come from any package. */
const MAX_REASON_CHARACTERS = 2_000;

/** Explains an error from loading the agent's `file`; several lines. */
export function explainLoad(error: unknown, file: string): string {
  const reason = error instanceof Error ? error.message : `threw ${showValue(error)}, which is no Error`;
  const place = findPlace(error, file);
  const advice = adviseLoad(error, file, place);
  return [
    `${file} cannot be loaded: ${reason.slice(0, MAX_REASON_CHARACTERS)}`,
    ...(place === undefined ? [] : [showPlace(place)]),
    ...(advice === undefined ? [] : [`  ${advice}`]),
  ].join("\n");
}
