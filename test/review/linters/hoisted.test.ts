import { describe, expect, test } from "vitest";
import { hasAnalysers } from "../../../agents/lib/review/index.ts";
import { hoistedIn } from "../../../agents/lib/review/linters/hoisted.ts";

const TEXT = `use(a, b, c, d, late, other);
var a = 1, { x: b, ...c } = a, [d = 2] = c;
let late = 1;
const other = 2;
`;

describe.skipIf(!hasAnalysers())("a use before the declaration", () => {
  test.each([
    ["a", true],
    ["b", true],
    ["c", true],
    ["d", true],
    ["x", false],
    ["late", false],
    ["other", false],
  ])("of %s is legal: %s", async (name, expected) => {
    const isHoisted = await hoistedIn("a.js", TEXT);
    const column = name.length === 1 ? TEXT.indexOf(`${name},`) + 1 : TEXT.indexOf(name) + 1;
    const region = { start: { line: 1, column }, end: { line: 1, column: column + name.length } };
    const lines = name === "x" ? ["x"] : TEXT.split("\n");
    const at = name === "x" ? { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } } : region;
    expect(isHoisted({ message: "This variable is used before its declaration.", region: at }, lines)).toBe(
      expected,
    );
  });

  test("of a parameter is legal: it exists when the function starts", async () => {
    const isHoisted = await hoistedIn("a.js", TEXT);
    expect(isHoisted({ message: "This parameter is used before its declaration." }, [])).toBe(true);
  });
});
