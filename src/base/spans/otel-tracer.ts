// Makes spans with OpenTelemetry's API. The caller passes the API in, so that programs without tracing do not load it.
import type { Context, Span as OtelSpan, SpanKind, TextMapGetter } from "@opentelemetry/api";
import type { AttributeValue, Span, SpanKindName, SpanSpec, TraceHeaders, Tracer } from "./tracer.ts";
import { TRACEPARENT, traceIdOf } from "./tracer.ts";

type Api = typeof import("@opentelemetry/api");

/** The name of the scope of all spans of Murmur. */
const SCOPE = "murmur";
/**
 * The most characters of a `tracestate` that is read: the specification asks for 512 at least, and a longer one of a stranger would
 * travel with each message.
 */
const MAX_TRACESTATE = 512;
/** The length of a `traceparent` of version 00. */
const TRACEPARENT_LENGTH = 55;

/** Tells whether a trace is sampled. `isParentSampled`: the flag of the parent; null for a root. */
export type SamplingRule = (trace: { traceId: string; isParentSampled: boolean | null }) => boolean;

/** Source of trace ids that makes the next one of a root that was named. */
export class RootedIds {
  readonly #random: { generateTraceId(): string; generateSpanId(): string };
  #next: string | undefined;

  constructor(random: { generateTraceId(): string; generateSpanId(): string }) {
    this.#random = random;
  }

  /** Names the root of the next trace. */
  expect(root: string): void {
    this.#next = traceIdOf(root);
  }

  generateTraceId = (): string => {
    const id = this.#next ?? this.#random.generateTraceId();
    this.#next = undefined;
    return id;
  };

  generateSpanId = (): string => this.#random.generateSpanId();
}

/**
 * A tracer that uses the provider that is registered with the API. `ids`: the source of ids of that provider, when it is ours; the
 * provider of a foreign program chooses the ids of its traces itself. `isSampled`: the rule of that provider's sampler, so that a trace that
 * is not sampled costs no more than this question; without it the provider is always asked.
 */
export function createOtelTracer(api: Api, ids?: RootedIds, isSampled?: SamplingRule): Tracer {
  const tracer = api.trace.getTracer(SCOPE);
  const kinds: Readonly<Record<SpanKindName, SpanKind>> = {
    internal: api.SpanKind.INTERNAL,
    server: api.SpanKind.SERVER,
    client: api.SpanKind.CLIENT,
    producer: api.SpanKind.PRODUCER,
    consumer: api.SpanKind.CONSUMER,
  };

  function contextOf({ parent }: SpanSpec): Context {
    if (parent === "active") return api.context.active();
    if (parent.traceparent?.length !== TRACEPARENT_LENGTH) return api.ROOT_CONTEXT;
    const isShort = (parent.tracestate?.length ?? 0) <= MAX_TRACESTATE;
    const carrier = isShort ? parent : { traceparent: parent.traceparent };
    return api.propagation.extract(api.ROOT_CONTEXT, carrier, HEADER_GETTER);
  }

  /** True when the rule says that the span of a message is not sampled. */
  function isLeftOut({ parent, root }: SpanSpec): boolean {
    if (isSampled === undefined || parent === "active") return false;
    const [, traceId, flags = ""] = TRACEPARENT.exec(parent.traceparent ?? "") ?? [];
    if (traceId !== undefined)
      return !isSampled({ traceId, isParentSampled: (Number.parseInt(flags, 16) & 1) === 1 });
    if (parent.traceparent !== undefined) return false; // The propagator judges it.
    return root !== undefined && !isSampled({ traceId: traceIdOf(root), isParentSampled: null });
  }

  return {
    isOn: true,
    start(spec) {
      if (isLeftOut(spec)) return null;
      const context = contextOf(spec);
      const parent = api.trace.getSpanContext(context);
      const hasParent = parent !== undefined && api.isSpanContextValid(parent);
      if (!hasParent) {
        if (spec.root === undefined) return null;
        ids?.expect(spec.root);
      }
      const links = spec.isLinked === true && hasParent ? [{ context: parent }] : [];
      const { name, startMs: startTime } = spec;
      const attributes = typeof spec.attributes === "function" ? spec.attributes() : spec.attributes;
      const options = {
        kind: kinds[spec.kind],
        attributes,
        links,
        ...(startTime === undefined ? {} : { startTime }),
      };
      const span = tracer.startSpan(name, options, context);
      return span.isRecording() ? new LiveSpan(api, span, context) : null;
    },
    active() {
      const { traceId, spanId } = api.trace.getSpanContext(api.context.active()) ?? {};
      return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
    },
  };
}

const HEADER_GETTER: TextMapGetter<TraceHeaders> = {
  keys: () => ["traceparent", "tracestate"],
  get: (headers, key) => (key === "traceparent" || key === "tracestate" ? headers[key] : undefined),
};

class LiveSpan implements Span {
  readonly #api: Api;
  readonly #span: OtelSpan;
  readonly #context: Context;

  constructor(api: Api, span: OtelSpan, context: Context) {
    this.#api = api;
    this.#span = span;
    this.#context = api.trace.setSpan(context, span);
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  get headers(): TraceHeaders {
    const headers: { traceparent?: string; tracestate?: string } = {};
    this.#api.propagation.inject(this.#context, headers, {
      set: (carrier, key, value) => {
        if (key === "traceparent" || key === "tracestate") carrier[key] = value; // and no baggage
      },
    });
    return headers;
  }

  set(attributes: Readonly<Record<string, AttributeValue>>): void {
    this.#span.setAttributes(attributes);
  }

  fail(code: string): void {
    this.#span.setAttribute("error.type", code);
    this.#span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
  }

  end(): void {
    if (this.#span.isRecording()) this.#span.end();
  }

  run<T>(work: () => T): T {
    return this.#api.context.with(this.#context, work);
  }
}
