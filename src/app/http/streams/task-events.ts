// The place of a reader in the events of a task: the facts of the last status that it got, as the id of that event. A stored status
// decides, so a reader may go on at another api process. Pure.
import { SwarmError, showValue, TASK_STATES, type TaskStatus } from "../../../protocol/index.ts";

const EVENT_ID = new RegExp(
  `^\\d{1,9}\\.(${TASK_STATES.join("|")})\\.[A-Za-z0-9_-]{0,64}\\.[0-9.e+-]{0,24}$`,
);

/** The id of a status: attempt, state, agent and progress, whose changes are events. */
export function eventIdOf({ attempt, state, agent, progress }: TaskStatus): string {
  return [attempt, state, agent ?? "", progress ?? ""].join(".");
}

/** Checks the header `Last-Event-ID`. @throws SwarmError `invalid_input` for an id that no event of a task has. */
export function readLastEventId(header: string | undefined): string | undefined {
  if (header === undefined || header === "") return undefined;
  if (EVENT_ID.test(header)) return header;
  throw new SwarmError(
    "invalid_input",
    `Last-Event-ID must be the id of an event of this stream, got ${showValue(header)}; leave it out to begin anew`,
    { field: "Last-Event-ID" },
  );
}

/** True for the id of the last event of a task: nothing comes after it. */
export function isLastEvent(id: string): boolean {
  return /^\d+\.(completed|failed|cancelled)\./.test(id);
}
