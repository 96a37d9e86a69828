import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkLockfile } from "../../../agents/lib/review/security/lockfile.ts";

const MANIFEST = JSON.stringify({ dependencies: { a: "1.0.0" } });

async function check(files: Record<string, string>) {
  const directory = await mkdtemp(join(tmpdir(), "review-lockfile-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  for (const [file, text] of Object.entries(files)) await writeFile(join(directory, file), text);
  return await checkLockfile(directory, "package.json");
}

test("a lockfile or a manifest that does not parse is told as not judged, without its text", async () => {
  const text = '{ "secret": "hunter2"';
  expect(await check({ "package.json": MANIFEST, "package-lock.json": text })).toEqual({
    findings: [],
    unjudged: [{ file: "package-lock.json", why: "parse-error", message: "the file is no JSON" }],
  });
  expect(await check({ "package.json": MANIFEST, "package-lock.json": "[]" })).toMatchObject({
    unjudged: [{ file: "package-lock.json", why: "parse-error", message: "expected a JSON object" }],
  });
  expect(await check({ "package.json": text })).toMatchObject({
    unjudged: [{ file: "package.json", why: "parse-error" }],
  });
});

test("a lockfile of an old npm, without a list of packages, is told in a note", async () => {
  const lock = JSON.stringify({ lockfileVersion: 1, dependencies: {} });
  expect(await check({ "package.json": MANIFEST, "package-lock.json": lock })).toMatchObject({
    findings: [{ severity: "info", rule: "lockfile-version", file: "package-lock.json" }],
    unjudged: [],
  });
});
