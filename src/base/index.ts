// Basics for every program: ids, clock, chance, backoff, restarts, services, log and metrics. Imports no other room.
//
//   const meter = createMeter();
//   const log = createLogger({ name: "agent" });
//   await sleep(backoffDelayMs(policy, attempt, systemChance), { signal });

export { untilAborted } from "./abort.ts";
export { AssertionError, assert } from "./assert.ts";
export { type BackoffPolicy, backoffDelayMs } from "./backoff.ts";
export { dropOldest } from "./bounded.ts";
export { type Chance, integerBetween, seededChance, systemChance } from "./chance.ts";
export { type Clock, MAX_TIMER_MS, ManualClock, sleep, systemClock, toIsoTime } from "./clock.ts";
export { newId, newInstanceId } from "./ids.ts";
export {
  createLazyLogger,
  createLogger,
  type Logger,
  REDACTED_KEYS,
  silentLogger,
  withLiveFields,
} from "./log.ts";
export {
  createMeter,
  createSilentMeter,
  describeMetrics,
  type GaugeRow,
  type Meter,
  type MetricFacts,
  OTHER,
  type RegisteredMeter,
} from "./meter.ts";
export { EXPORTERS, type Exporter } from "./metrics/spec.ts";
export { nearest } from "./nearest.ts";
export {
  DEFAULT_RESTART_POLICY,
  decideRestart,
  type RestartDecision,
  type RestartPolicy,
} from "./restart.ts";
export { createService, type Service, stopAll } from "./service.ts";
export { singleFlight } from "./single-flight.ts";
export { createOtelTracer, RootedIds } from "./spans/otel-tracer.ts";
export {
  type Attributes,
  type AttributeValue,
  inSpan,
  NO_TRACER,
  type Span,
  type SpanSpec,
  TRACEPARENT,
  type TraceHeaders,
  type Tracer,
  traceIdIn,
  traceIdOf,
} from "./spans/tracer.ts";
export { readTraceFacts } from "./trace/process-facts.ts";
export { listSecrets, REDACTED, redactText } from "./trace/redact.ts";
export {
  cutHead,
  cutMiddle,
  MESSAGE_LIMIT_BYTES,
  OUTPUT_TAIL_BYTES,
  showText,
  TRACE_LIMIT_BYTES,
  type TraceFacts,
  traceOf,
} from "./trace/trace.ts";
export { tryJson } from "./try-json.ts";
export { utf8Bytes, utf8Text } from "./utf8.ts";
