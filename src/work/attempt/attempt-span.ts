// The span of an attempt: from its start until its end is stored. delivery.ts calls it while tracing is on.
import type { Tracer } from "../../base/index.ts";
import { HEADERS } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { codeOfThrown, startProcess } from "../spans.ts";
import type { AttemptEnd, RunningAttempt } from "./attempt.ts";
import type { InFlightTask } from "./in-flight.ts";

/** Runs and settles an attempt in a span; without one when the trace is not sampled. @throws as `settle`. */
export async function runInSpan(
  { tracer, transport }: { tracer: Tracer; transport: Pick<Transport, "prefix"> },
  inFlight: InFlightTask,
  { number, agentId: agent }: RunningAttempt,
  work: { run(): Promise<AttemptEnd>; settle(end: AttemptEnd): Promise<void> },
): Promise<void> {
  const { at, delivery, ballotId: ballot } = inFlight;
  const headers = {
    traceparent: delivery.header(HEADERS.traceparent),
    tracestate: delivery.header(HEADERS.tracestate),
  };
  const facts = { headers, root: ballot ?? at.taskId, number, agent, ballot };
  const span = startProcess(tracer, transport.prefix, at, facts);
  if (span === null) return work.settle(await work.run());
  inFlight.traceparent = span.headers.traceparent;
  try {
    const end = await span.run(work.run);
    span.set({ "murmur.attempt.end": end.kind });
    if (end.kind === "error") span.fail(end.error.code);
    await span.run(() => work.settle(end));
  } catch (error) {
    span.fail(codeOfThrown(error));
    throw error;
  } finally {
    span.end();
  }
}
