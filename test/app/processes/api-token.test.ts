import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createApiToken } from "../../../src/app/processes/api-token.ts";
import { createLogger, silentLogger } from "../../../src/base/index.ts";

const OLD = "the-old-token-of-the-api";
const NEW = "the-new-token-of-the-api";

function setup() {
  const folder = mkdtempSync(join(tmpdir(), "murmur-token-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "token");
  writeFileSync(file, `${OLD}\n`);
  const clock = { nowMs: 0 };
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const token = createApiToken({ apiToken: OLD, apiTokenFile: file }, { log, nowMs: () => clock.nowMs });
  return { file, clock, lines, token };
}

test("without a file the token is fixed", () => {
  expect(createApiToken({ apiToken: OLD, apiTokenFile: undefined }, { log: silentLogger })()).toBe(OLD);
  expect(
    createApiToken({ apiToken: undefined, apiTokenFile: undefined }, { log: silentLogger })(),
  ).toBeUndefined();
});

test("a rotated token counts after a second", () => {
  const { file, clock, token } = setup();
  writeFileSync(file, NEW);
  clock.nowMs = 999;
  expect(token()).toBe(OLD);
  clock.nowMs = 1_000;
  expect(token()).toBe(NEW);
});

test("a token that becomes too short or disappears keeps the last one, and one line says why", () => {
  const { file, clock, lines, token } = setup();
  writeFileSync(file, "short");
  for (clock.nowMs = 1_000; clock.nowMs <= 3_000; clock.nowMs += 1_000) expect(token()).toBe(OLD);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("at least 16 characters");
  rmSync(file);
  clock.nowMs = 10_000;
  expect(token()).toBe(OLD);
  expect(lines).toHaveLength(2);
  expect(lines.join("")).not.toContain("short");
});
