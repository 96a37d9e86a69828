// The events of runs, for watchers: `<p>.event.workflow.<id>.<event>`. They are a broadcast, best effort; the log is the truth.
import { toIsoTime } from "../../base/index.ts";
import { encode, type Subjects } from "../../protocol/index.ts";
import type { Bus } from "../../transport/index.ts";
import type { Decision, Fact, Fold } from "../../workflow/index.ts";

/** One event of a run. */
export interface RunEvent {
  readonly event:
    | "started"
    | "step-finished"
    | "paused"
    | "resumed"
    | "blocked"
    | "completed"
    | "failed"
    | "cancelled"
    | "compensated";
  /** The path of a step. */
  readonly path?: string;
  /** The status of a finished step. */
  readonly status?: string;
  /** The reason why a run is blocked. */
  readonly message?: string;
}

/** The event of a fact; null for a fact without one. Pure. */
export function eventOf(fact: Fact): RunEvent | null {
  switch (fact.type) {
    case "begun":
      return fact.generation === 1 ? { event: "started" } : null;
    case "settled":
      return { event: "step-finished", path: fact.path, status: fact.outcome.status };
    case "paused":
    case "resumed":
      return { event: fact.type };
    case "blocked":
      return { event: "blocked", message: fact.message };
    case "ended":
      return { event: fact.state };
    default:
      return null;
  }
}

/** Publishes the events of a decision. */
export function tellEvents(
  bus: Pick<Bus, "publish">,
  subjects: Subjects,
  fold: Fold,
  { entry }: Decision,
): void {
  for (const fact of entry?.facts ?? []) {
    const told = eventOf(fact);
    if (told === null) continue;
    const { event, ...facts } = told;
    const body = { ...facts, name: fold.begun?.name ?? "-", at: toIsoTime(fold.atMs) };
    bus.publish(subjects.event("workflow", fold.id, event), encode(body));
  }
}
