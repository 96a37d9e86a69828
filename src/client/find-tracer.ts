// Finds the tracing of the program that uses the client, so that its spans and those of the swarm are one trace.
import { createOtelTracer, NO_TRACER, type Tracer } from "../base/index.ts";

/** The place where OpenTelemetry's API, version 1, keeps the providers that a program has registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** A tracer with the program's own provider; without a registered one there are no spans, and no library is loaded. */
export async function findTracer(): Promise<Tracer> {
  if (!(REGISTERED in globalThis)) return NO_TRACER;
  return createOtelTracer(await import("@opentelemetry/api"));
}
