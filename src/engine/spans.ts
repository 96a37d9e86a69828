// The spans of a run: one for each decision that stores an entry, one for the whole run at its end, and one for each task that a decision
// orders. All are in the trace of the run: that of its start, or else the trace of its id, so that they stay together over the death of an
// engine. Pure, but for the tracer.
import { type AttributeValue, type Span, type TraceHeaders, type Tracer, traceIdOf } from "../base/index.ts";
import type { Decision, Fold } from "../workflow/index.ts";

/** The part of a fold that spans need. */
export type TracedRun = Pick<Fold, "id" | "begun" | "begunAtMs" | "atMs" | "entries">;

/** The context of a run: the parent of its spans, and the root of its trace without one. */
function contextOf({ id, begun }: TracedRun): { parent: TraceHeaders; root: string } {
  return { parent: { traceparent: begun?.traceparent }, root: id };
}

function attributesOf({ id, begun }: TracedRun): Record<string, AttributeValue> {
  const { name = "-", version = 0, generation = 1, parent } = begun ?? {};
  return {
    "murmur.workflow.id": id,
    "murmur.workflow.name": name,
    "murmur.workflow.version": version,
    "murmur.workflow.generation": generation,
    ...(parent === undefined ? {} : { "murmur.workflow.parent": parent.id }),
  };
}

/** The span of a decision; null when the trace is not sampled. */
export function startDecision(
  tracer: Tracer,
  run: TracedRun,
  decision: Decision,
  startMs: number,
): Span | null {
  const facts = decision.entry?.facts ?? [];
  const blocked = facts.find((fact) => fact.type === "blocked");
  const span = tracer.start({
    name: `decide ${run.begun?.name ?? "-"}`,
    kind: "internal",
    ...contextOf(run),
    startMs,
    attributes: {
      ...attributesOf(run),
      "murmur.workflow.entry": run.entries,
      "murmur.workflow.facts": facts.map(({ type }) => type).join(" "),
      ...(blocked === undefined ? {} : { "murmur.workflow.blocked": blocked.cause }),
    },
  });
  if (blocked !== undefined) span?.fail("blocked");
  return span;
}

/** The span of a run that has ended, from its start to its end. */
export function traceRun(tracer: Tracer, run: TracedRun & Pick<Fold, "end" | "finish">): void {
  const span = tracer.start({
    name: `workflow ${run.begun?.name ?? "-"}`,
    kind: "internal",
    ...contextOf(run),
    startMs: run.begunAtMs,
    attributes: { ...attributesOf(run), "murmur.workflow.state": run.end ?? "-" },
  });
  if (run.finish?.how === "failed") span?.fail(run.finish.error.code);
  span?.end();
}

/**
 * The headers for the tasks and children of a decision. `decision`: its span; null when the trace is not sampled. Then the header says so,
 * or each task would be the root of a trace of its own, with a chance of its own.
 */
export function headersOfOrders(tracer: Tracer, run: TracedRun, decision: Span | null): TraceHeaders {
  if (decision !== null) return decision.headers;
  if (run.begun?.traceparent !== undefined) return { traceparent: run.begun.traceparent };
  if (!tracer.isOn) return {};
  const traceId = traceIdOf(run.id);
  return { traceparent: `00-${traceId}-${traceId.slice(0, 16)}-00` };
}
