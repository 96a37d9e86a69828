import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";

/** Opens sessions of a fresh process, and returns the lines that each writes to standard error. */
async function setup() {
  vi.resetModules();
  const { openSession } = await import("../../../src/app/cli/session.ts");
  const directory = mkdtempSync(join(tmpdir(), "murmur-session-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return async (environment: Record<string, string>) => {
    const lines: string[] = [];
    const stderr = { write: (text: string) => lines.push(text) };
    const session = await openSession(
      { flags: {}, file: undefined, json: true },
      { environment, directory, stderr },
    );
    await session.close();
    return lines;
  };
}

test("a misspelt variable is told once in a process, also to programs", async () => {
  const open = await setup();
  const environment = { MURMUR_PREFX: "staging" };
  expect(await open(environment)).toEqual([
    "murmur: warning: MURMUR_PREFX is not a setting and has no effect; did you mean MURMUR_PREFIX? (docs/configuration.md lists all)\n",
  ]);
  expect(await open(environment)).toEqual([]);
});

test("a supervised process leaves the warning to its supervisor, and a quiet log level suppresses it", async () => {
  const open = await setup();
  expect(await open({ MURMUR_PREFX: "staging", MURMUR_SUPERVISED: "1" })).toEqual([]);
  expect(await open({ MURMUR_PREFX: "staging", MURMUR_LOG_LEVEL: "silent" })).toEqual([]);
});
