// Spans of distributed traces: the parts that rooms need to start one, without any library. otel-tracer.ts makes them with
// OpenTelemetry. A process without tracing has {@link NO_TRACER}, which makes none.
//
// S1  A task has one trace. It is the trace of its `traceparent`; without one, its trace id is made of the task's id, so that every
//     process finds the same trace, for each attempt and also after a crash.
// S2  A span that is not sampled is null, so a caller computes no attributes for it and sends no headers.
import { hash } from "node:crypto";

/** The headers of W3C Trace Context (https://www.w3.org/TR/trace-context/). */
export interface TraceHeaders {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** A valid `traceparent` of version 00, with its trace id and its flags (https://www.w3.org/TR/trace-context/). */
export const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** The kinds of OpenTelemetry's spans. */
export type SpanKindName = "internal" | "server" | "client" | "producer" | "consumer";

/** The value of an attribute. */
export type AttributeValue = string | number | boolean;

/** The attributes of a span. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A span to start. */
export interface SpanSpec {
  /** A name of few values: it contains no id. */
  readonly name: string;
  readonly kind: SpanKindName;
  /** The headers of the message that caused the work, or the span that runs the present code. */
  readonly parent: TraceHeaders | "active";
  /** The id that gives the trace id when there is no parent (S1); without it, a span without a parent is not started. */
  readonly root?: string | undefined;
  /** True: the span also links to its parent, as OpenTelemetry asks of consumers of messages. */
  readonly isLinked?: boolean;
  /** A function is called only for a span that is sampled (S2). */
  readonly attributes: Attributes | (() => Attributes);
  /** Unix ms; default: now. */
  readonly startMs?: number;
}

/** A span that is being recorded. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** The headers that make a message a child of this span. */
  readonly headers: TraceHeaders;
  set(attributes: Readonly<Record<string, AttributeValue>>): void;
  /** Marks the span as failed with an error code. Its message is left out: it may quote a payload. */
  fail(code: string): void;
  /** Ends the span, once; later calls do nothing. */
  end(): void;
  /** Runs `work` with this span as the active one, also in everything that it awaits. */
  run<T>(work: () => T): T;
}

/** Starts spans. */
export interface Tracer {
  /** False: no span is ever started, so that a caller can skip everything for it. */
  readonly isOn: boolean;
  /** Null when the span is not sampled, or has neither a parent nor a root (S2). */
  start(spec: SpanSpec): Span | null;
  /** The ids of the active span; undefined without one. */
  active(): { readonly traceId: string; readonly spanId: string } | undefined;
}

/** The tracer of a process without tracing. */
export const NO_TRACER: Tracer = { isOn: false, start: () => null, active: () => undefined };

/** Runs `work` inside a span that ends with it; without tracing, or without an active span, it only runs. */
export async function inSpan<T>(
  tracer: Tracer,
  spec: Omit<SpanSpec, "parent">,
  work: (span: Span | null) => Promise<T>,
  codeOf: (error: unknown) => string,
): Promise<T> {
  const span = tracer.isOn ? tracer.start({ ...spec, parent: "active" }) : null;
  if (span === null) return work(null);
  try {
    return await span.run(() => work(span));
  } catch (error) {
    span.fail(codeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** The trace id of a task without a `traceparent` (S1): 32 lower-case hexadecimal digits. `root`: the task's id. */
export function traceIdOf(root: string): string {
  return hash("sha256", `murmur trace ${root}`).slice(0, 32);
}

/** The trace id in a `traceparent`; undefined when it is not valid. */
export function traceIdIn(traceparent: string | undefined): string | undefined {
  const id = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? "")?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
