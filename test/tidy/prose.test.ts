import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { countPatterns, listProse, listTexts } from "../../tools/build/measures/prose.ts";
import { UPDATING } from "../support/golden.ts";

const golden = join(import.meta.dirname, "prose.golden");
/** The golden file holds the allowed hits per 10,000 words, rounded up to a tenth. */
const roundUp = (value: number) => Math.ceil(value * 10) / 10;

const measured = [
  { where: "comments and pages", ...countPatterns(listProse()) },
  { where: "texts in the code", ...countPatterns(listTexts()) },
].flatMap(({ where, counts }) => counts.map((count) => ({ ...count, key: `${where}: ${count.name}` })));

test("sentences that a reader has to read twice only become fewer", () => {
  const allowed = new Map(
    (existsSync(golden) ? readFileSync(golden, "utf8") : "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line): [string, number] => {
        const at = line.lastIndexOf(" = ");
        return [line.slice(0, at), Number(line.slice(at + 3))];
      }),
  );
  if (UPDATING) {
    const lines = measured.map(({ key, per10kWords }) => {
      const now = roundUp(per10kWords);
      return `${key} = ${Math.min(now, allowed.get(key) ?? now)}\n`;
    });
    writeFileSync(golden, lines.join(""));
    return;
  }
  const worse = measured
    .filter(({ key, per10kWords }) => roundUp(per10kWords) > (allowed.get(key) ?? 0))
    .map(({ key, per10kWords, places }) => ({
      key,
      per10kWords: roundUp(per10kWords),
      allowed: allowed.get(key) ?? 0,
      places: places.slice(0, 20),
    }));
  expect(worse, "name the actor, put a noun first; `npm run house -- --places` lists all").toEqual([]);
});
