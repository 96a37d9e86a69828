import { expect, it } from "vitest";
import { checkPlainData, MAX_DEPTH } from "../../../src/protocol/index.ts";

class Money {
  amount = 3;
}
const circle: { self?: unknown; more?: unknown } = {};
circle.self = circle;
circle.more = circle;
const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)]);

it.each<[string, unknown]>([
  ["scalars", [null, true, "text", 1.5, -0]],
  ["nested data", { a: [{ b: { c: [1] } }], empty: {}, none: [] }],
  ["nothing", undefined],
  ["a property that is undefined", { a: undefined, b: 1 }],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
  ["the deepest nesting", nest(MAX_DEPTH - 1)],
])("%s is plain data", (_name, value) => {
  expect(() => checkPlainData(value, "output")).not.toThrow();
});

it.each<[path: string, problem: string, value: unknown]>([
  ["output", "an instance of Map", new Map([[1, 2]])],
  ["output.tags", "an instance of Set", { tags: new Set() }],
  ["output.at", "an instance of Date", { at: new Date(0) }],
  ["output.list.0.price", "an instance of Money", { list: [{ price: new Money() }] }],
  ["output.score", "the number NaN", { score: Number.NaN }],
  ["output.1", "the number Infinity", [1, Number.POSITIVE_INFINITY]],
  ["output.1", "undefined in an array", [1, undefined]],
  ["output.0", "undefined in an array", new Array(1_000_000_000)],
  ["output.n", 'the bigint "10"', { n: 10n }],
  ["output.run", "a function", { run: () => 1 }],
  ["output", "a symbol", Symbol("s")],
  ["output.buffer", "an instance of Uint8Array", { buffer: new Uint8Array(2) }],
  ["output.failed", "an instance of Error", { failed: new Error("x") }],
  ["output.a", "an instance of Number", { a: Object(1) }],
  ["output.toJSON", "a key with a meaning of its own", { toJSON: 1 }],
  ["output.a.__proto__", "a key with a meaning of its own", JSON.parse('{"a":{"__proto__":1}}')],
  ["output.self.self", `nested deeper than ${MAX_DEPTH - 1} levels (or a circle)`, circle],
  ["output.0.0", `nested deeper than ${MAX_DEPTH - 1} levels (or a circle)`, nest(MAX_DEPTH)],
])("%s that is %s is refused", (path, problem, value) => {
  expect(() => checkPlainData(value, "output")).toThrow(
    expect.objectContaining({
      code: "invalid_input",
      field: path,
      message: `${path} is ${problem}, which would not arrive as it is`,
      retryable: false,
    }),
  );
});

it("MessagePack also carries bytes and times, and nothing else", () => {
  const value = { bytes: new Uint8Array([1]), buffer: Buffer.from([1]), at: new Date(0) };
  expect(() => checkPlainData(value, "output", "msgpack")).not.toThrow();
  expect(() => checkPlainData({ at: new Date(Number.NaN) }, "output", "msgpack")).toThrow("output.at");
  expect(() => checkPlainData(new Map(), "output", "msgpack")).toThrow("an instance of Map");
});
