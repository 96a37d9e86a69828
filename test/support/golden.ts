// Golden files: what a test saw once, reviewed and committed. UPDATE_GOLDEN=1 rewrites them; the diff is the review.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { expect } from "vitest";

/** True when golden files are to be rewritten in this run. */
export const UPDATING = process.env.UPDATE_GOLDEN === "1";

/** Fails when `file` does not hold exactly `text`; with UPDATE_GOLDEN=1 it writes `text` there instead. */
export function expectGolden(file: string, text: string): void {
  if (UPDATING) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return;
  }
  const stored = existsSync(file) ? readFileSync(file, "utf8") : "";
  const hint = `${relative(process.cwd(), file)} differs; if the change is meant: UPDATE_GOLDEN=1 ./murmur test ${relative(process.cwd(), dirname(file))}`;
  expect(text, hint).toBe(stored);
}
