// Starts OpenTelemetry's SDK when the environment names an endpoint for traces, and only then loads it. The standard variables
// `OTEL_…` configure it: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
//
// O1  Tracing never slows or fails a task: spans wait in a bounded queue, and one batch is sent at a time. Spans that do not fit, or
//     that the endpoint does not take, are dropped and counted by reason.
// O2  The end of a process waits for its last spans, but not longer than CLOSE_LIMIT_MS.
import type { Counter, MeterProvider } from "@opentelemetry/api";
import type { Sampler } from "@opentelemetry/sdk-trace";
import {
  createOtelTracer,
  type Logger,
  type Meter,
  NO_TRACER,
  RootedIds,
  sleep,
  type Tracer,
} from "../../base/index.ts";
import { VERSION } from "../version.ts";
import { type Environment, isTracingWanted, readTracingSettings } from "./environment.ts";

type Api = typeof import("@opentelemetry/api");

/** The most time that a process waits for its last spans at its end, in ms. */
const CLOSE_LIMIT_MS = 1_000;
/** The shortest time between two log lines about spans that were not sent, in ms. */
const COMPLAINT_INTERVAL_MS = 60_000;
/** The most characters of one attribute: ids, names and codes are shorter. */
const MAX_ATTRIBUTE_LENGTH = 1_024;
/** The counter of OpenTelemetry's batch processor for the spans that it is done with; a label tells why it dropped some. */
const PROCESSED = "otel.sdk.processor.span.processed";

/** The reasons why a span is dropped: the label of its metric. */
export const DROP_REASONS = ["queue_full", "not_sent"] as const;

/** A running tracer, and the function that sends the last spans and ends it. */
export interface Tracing {
  readonly tracer: Tracer;
  close(): Promise<void>;
}

/**
 * Starts tracing when the environment asks for it; otherwise the tracer makes no spans.
 * @param parts.service the kind of process, for example `agent`: `service.name` is `murmur-agent`, unless `OTEL_SERVICE_NAME` is set.
 * @throws SwarmError `invalid_input` as {@link readTracingSettings}.
 */
export async function startTracing(
  env: Environment,
  parts: { service: string; processId: string; log: Logger; meter: Pick<Meter, "spansDropped"> },
): Promise<Tracing> {
  if (!isTracingWanted(env)) return { tracer: NO_TRACER, close: async () => undefined };
  const settings = readTracingSettings(env);
  const [api, core, sdk, exporters, resources, hooks] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/core"),
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/exporter-trace-otlp-proto"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/context-async-hooks"),
  ]);
  const { service, processId, log, meter } = parts;
  const complain = complainTo(log);
  core.setGlobalErrorHandler(complain);
  const ids = new RootedIds(new sdk.RandomIdGenerator());
  const root: Sampler = {
    always_on: () => new sdk.AlwaysOnSampler(),
    always_off: () => new sdk.AlwaysOffSampler(),
    traceidratio: () => new sdk.TraceIdRatioBasedSampler(settings.share),
  }[settings.root]();
  const own = {
    "service.name": `murmur-${service}`,
    "service.version": VERSION,
    "service.instance.id": processId,
  };
  const named = resources.detectResources({ detectors: [resources.envDetector] });
  const provider = new sdk.TracerProvider({
    idGenerator: ids,
    sampler: settings.isParentBased ? new sdk.ParentBasedSampler({ root }) : root,
    resource: resources.defaultResource().merge(resources.resourceFromAttributes(own)).merge(named),
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH },
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: new exporters.OTLPTraceExporter(),
        selfObsMeterProvider: countDropped(api, (reason, spans) => meter.spansDropped.inc({ reason }, spans)),
        ...settings.batch,
      }),
    ],
  });
  api.context.setGlobalContextManager(new hooks.AsyncLocalStorageContextManager().enable());
  api.propagation.setGlobalPropagator(new core.W3CTraceContextPropagator()); // and no baggage: it is text of strangers
  api.trace.setGlobalTracerProvider(provider);
  log.debug({ sampler: settings.sampler, share: settings.share }, "sending traces to the OTLP endpoint");
  return {
    tracer: createOtelTracer(api, ids, ({ traceId, isParentSampled }) => {
      if (isParentSampled !== null && settings.isParentBased) return isParentSampled;
      const { decision } = root.shouldSample(api.ROOT_CONTEXT, traceId, "", api.SpanKind.INTERNAL, {}, []);
      return decision !== sdk.SamplingDecision.NOT_RECORD;
    }),
    close: () => Promise.race([provider.shutdown().catch(complain), sleep(CLOSE_LIMIT_MS)]), // O2
  };
}

/** Logs that spans were not sent, at most once a minute. The counter of dropped spans tells how many. */
function complainTo(log: Logger): (error: unknown) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < COMPLAINT_INTERVAL_MS) return;
    lastMs = nowMs;
    log.warn({ err: error }, "traces were not sent; spans are dropped and counted, and the work goes on");
  };
}

/** A meter for the batch processor that passes on its count of dropped spans, and nothing else (O1). */
function countDropped(
  api: Api,
  onDropped: (reason: (typeof DROP_REASONS)[number], spans: number) => void,
): MeterProvider {
  const meter = api.createNoopMeter();
  const counter: Counter = {
    add(spans, attributes) {
      const error = attributes?.["error.type"];
      if (error !== undefined) onDropped(error === "queue_full" ? "queue_full" : "not_sent", spans);
    },
  };
  const ofName = (name: string) => (name === PROCESSED ? counter : meter.createCounter(name));
  return { getMeter: () => Object.assign(Object.create(meter), { createCounter: ofName }) };
}
