import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const BUILD_LIMIT_MS = 120_000;

let out: string;
beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), "murmur-dist-"));
  await run(process.execPath, [join(root, "tools/build/build.ts"), "--out", out]);
  linkProductionPackages();
}, BUILD_LIMIT_MS);
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** Links the production packages, like `npm install --omit=dev` but without network. Other packages cannot be found. */
function linkProductionPackages(): void {
  for (const name of Object.keys(readManifest().dependencies)) {
    const link = join(out, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link);
  }
}

function readManifest(): { version: string; dependencies: Record<string, string>; bin: { murmur: string } } {
  return JSON.parse(readFileSync(join(out, "package.json"), "utf8"));
}

test("the built program starts and lists its commands with production packages only", async () => {
  const { stdout } = await run(join(out, readManifest().bin.murmur), ["--help"], {
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  expect(stdout).toMatch(/Usage: murmur/);
});

test("the door of the built package exports the names that agents import", async () => {
  const script = 'import * as door from "murmur-swarm"; console.log(typeof door.defineAgent);';
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], { cwd: out });
  expect(stdout.trim()).toBe("function");
});
