import * as api from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import {
  createOtelTracer,
  inSpan,
  NO_TRACER,
  RootedIds,
  type Tracer,
  traceIdIn,
  traceIdOf,
} from "../../../src/base/index.ts";

let exporter: InMemorySpanExporter;
let tracer: Tracer;

/** `hasRule`: the tracer knows the rule of the sampler, as that of a process does. */
function setup(share = 1, hasRule = false): void {
  unregister();
  exporter = new InMemorySpanExporter();
  const ids = new RootedIds(new RandomIdGenerator());
  const provider = new TracerProvider({
    idGenerator: ids,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  api.trace.setGlobalTracerProvider(provider);
  const sampler = new TraceIdRatioBasedSampler(share);
  tracer = createOtelTracer(
    api,
    ids,
    hasRule
      ? ({ traceId, isParentSampled }) =>
          isParentSampled ??
          sampler.shouldSample(api.ROOT_CONTEXT, traceId).decision !== SamplingDecision.NOT_RECORD
      : undefined,
  );
}

beforeEach(() => setup());
afterEach(unregister);

function unregister(): void {
  for (const part of [api.context, api.propagation, api.trace]) part.disable();
}

const SPEC = { name: "n", kind: "internal", attributes: {} } as const;
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("a tracer that knows the rule of its sampler", () => {
  const samples = (parents: readonly object[]) =>
    parents.map((parent, at) => tracer.start({ ...SPEC, parent, root: `task-${at}` }) !== null);

  it("decides as the sampler does, for roots, parents with each flag, and parents that are not valid", () => {
    const parents = [
      ...Array.from({ length: 300 }, () => ({})),
      ...[TRACEPARENT, TRACEPARENT.replace(/01$/, "00"), TRACEPARENT.replace(/01$/, "03")],
      ...[
        "",
        "ff".concat(TRACEPARENT.slice(2)),
        "01".concat(TRACEPARENT.slice(2)),
        `${TRACEPARENT}-x`,
        "hostile",
      ],
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    ].map((each) => (typeof each === "string" ? { traceparent: each } : each));
    setup(0.3);
    const asked = samples(parents);
    setup(0.3, true);
    expect(samples(parents)).toEqual(asked);
    expect(asked.filter(Boolean).length).toBeGreaterThan(50);
    expect(asked.filter((each) => !each).length).toBeGreaterThan(150);
  });

  it("computes no attributes for a trace that is not sampled", () => {
    setup(0, true);
    let computed = 0;
    const attributes = () => ({ n: ++computed });
    expect(tracer.start({ ...SPEC, attributes, parent: {}, root: "task-1" })).toBe(null);
    expect(tracer.start({ ...SPEC, attributes, parent: { traceparent: TRACEPARENT } })).not.toBe(null);
    expect(computed).toBe(1);
  });
});

describe("a span", () => {
  it("without a parent has the trace of its root, in every process and for every attempt", () => {
    const spans = [1, 2].map(() => tracer.start({ ...SPEC, parent: {}, root: "task-1" })!);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf("task-1")]));
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(2);
  });

  it("is a child of the message's context, and links to it when asked", () => {
    const span = tracer.start({
      ...SPEC,
      parent: { traceparent: TRACEPARENT },
      isLinked: true,
      root: "other",
    })!;
    span.end();
    const [ended] = exporter.getFinishedSpans();
    expect(span.traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(ended?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(ended?.links).toMatchObject([{ context: { spanId: "b7ad6b7169203331" } }]);
    expect(span.headers.traceparent).toBe(`00-${span.traceId}-${span.spanId}-01`);
  });

  it("is not started for a parent that is not sampled, nor without a parent and a root", () => {
    expect(
      tracer.start({ ...SPEC, parent: { traceparent: TRACEPARENT.replace(/01$/, "00") }, root: "r" }),
    ).toBeNull();
    expect(tracer.start({ ...SPEC, parent: "active" })).toBeNull();
  });

  it("is the active one in everything that its work awaits, and not beside it", async () => {
    const span = tracer.start({ ...SPEC, parent: {}, root: "r" })!;
    const inside = span.run(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return tracer.active();
    });
    expect(tracer.active()).toBeUndefined();
    expect(await inside).toEqual({ traceId: span.traceId, spanId: span.spanId });
  });

  it("tells the code of its failure, and never a message", async () => {
    const outer = tracer.start({ ...SPEC, parent: {}, root: "r" })!;
    const failing = outer.run(() =>
      inSpan(
        tracer,
        SPEC,
        () => Promise.reject(new Error("the payload")),
        () => "internal",
      ),
    );
    await expect(failing).rejects.toThrow("the payload");
    const [ended] = exporter.getFinishedSpans();
    expect(ended).toMatchObject({
      attributes: { "error.type": "internal" },
      status: { code: api.SpanStatusCode.ERROR },
    });
    expect(JSON.stringify([ended?.status, ended?.events])).not.toContain("payload");
  });
});

test("a share samples whole traces: each process decides alike about one task", () => {
  setup(0.2);
  const isSampled = (id: string) => tracer.start({ ...SPEC, parent: {}, root: id }) !== null;
  const ids = Array.from({ length: 500 }, (_, index) => `task-${index}`);
  const first = ids.map(isSampled);
  expect(ids.map(isSampled)).toEqual(first);
  const sampled = first.filter(Boolean).length;
  expect(sampled).toBeGreaterThan(60);
  expect(sampled).toBeLessThan(140);
});

test("no header of a stranger makes a span fail, and a span with a parent has a valid trace", () => {
  const nearly = fc.string({ maxLength: 3 }).map((end) => `${TRACEPARENT.slice(0, 55 - end.length)}${end}`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), nearly), fc.string(), (traceparent, tracestate) => {
      const span = tracer.start({ ...SPEC, parent: { traceparent, tracestate }, root: "r" });
      span?.end();
      if (span !== null) expect(traceIdIn(span.headers.traceparent)).toBe(span.traceId);
    }),
  );
});

test("a long tracestate is not passed on, and baggage never is", () => {
  const tracestate = `a=${"x".repeat(600)}`;
  const parent = { traceparent: TRACEPARENT, tracestate, baggage: "user=secret" };
  expect(tracer.start({ ...SPEC, parent })!.headers).toEqual({ traceparent: expect.any(String) });
});

test("without tracing, work runs without a span", async () => {
  expect(await inSpan(NO_TRACER, SPEC, async (span) => span, String)).toBeNull();
});
