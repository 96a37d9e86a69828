import fc from "fast-check";
import { expect, test } from "vitest";
import { decode, MAX_DEPTH } from "../../../src/protocol/wire/codec.ts";

const body = (text: string) => Buffer.from(text);

/** The nesting of a value, counted without the codec: 0 for a scalar. */
function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** JSON texts with braces, quotes, backslashes and digits in keys and strings, nested near the limit. */
const jsonText = fc
  .tuple(
    fc.jsonValue({ stringUnit: fc.constantFrom("{", "[", "}", "]", '"', "\\", "9", "e", "ä", "x") }),
    fc.array(fc.constantFrom("array", "object"), { minLength: MAX_DEPTH - 3, maxLength: MAX_DEPTH + 2 }),
    fc.boolean(),
  )
  .map(([value, levels, isDeep]) => {
    if (!isDeep) return JSON.stringify(value);
    const open = levels.map((level) => (level === "array" ? '["}",' : '{"]\\"":1,"b":')).join("");
    const close = levels.map((level) => (level === "array" ? "]" : "}")).reverse();
    return `${open}${JSON.stringify(value)}${close.join("")}`;
  });

test("a JSON body is refused exactly when it is nested deeper than the limit, whatever its strings hold", () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const value: unknown = JSON.parse(text);
      const run = () => decode(body(text), "application/json").value;
      if (depthOf(value) > MAX_DEPTH) expect(run).toThrow("nested deeper than 64 levels");
      else expect(run()).toEqual(value);
    }),
    { numRuns: 500 },
  );
});

test("many flat objects side by side are not deep", () => {
  const value = Array.from({ length: 1_000 }, (_, index) => ({ index, name: "a", slots: { used: 0 } }));
  expect(decode(body(JSON.stringify(value)), "application/json").value).toEqual(value);
});

test.each(['{"a":1e309}', '{"a":[-1E+400]}', `{"a":${"9".repeat(310)}}`, '{"a":"1","b":1e999}'])(
  "the number in %j, which a program would read as infinity, is refused with its path",
  (text) => {
    expect(() => decode(body(text), "application/json")).toThrow("a number must be at most 1.8e308");
  },
);

test.each(['{"a":1e308}', '{"a":"1e309"}', `{"a":"${"9".repeat(400)}"}`, '{"1e309":1,"e999":2}'])(
  "the body %j has no such number",
  (text) => expect(decode(body(text), "application/json").value).toEqual(JSON.parse(text)),
);

test.each(['{"__proto__":1}', '{"a":{"\\u005f_proto__":1}}', '{"a":[{"__proto__":{}}]}'])(
  "the key __proto__ in %j is refused",
  (text) => expect(() => decode(body(text), "application/json")).toThrow("__proto__"),
);
