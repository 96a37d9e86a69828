// Golden files: reviewed output of a test, kept in the repository. UPDATE_GOLDEN=1 rewrites them; the author reviews the diff.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { expect } from "vitest";

/** True when this run rewrites golden files. */
export const UPDATING = process.env.UPDATE_GOLDEN === "1";

/** Fails the test unless `file` holds exactly `text`. With UPDATE_GOLDEN=1, writes `text` to the file instead. */
export function expectGolden(file: string, text: string): void {
  if (UPDATING) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return;
  }
  const stored = existsSync(file) ? readFileSync(file, "utf8") : "";
  const hint = `${relative(process.cwd(), file)} differs from the test's output; if you meant the change, run: UPDATE_GOLDEN=1 ./murmur test ${relative(process.cwd(), dirname(file))}`;
  expect(text, hint).toBe(stored);
}
