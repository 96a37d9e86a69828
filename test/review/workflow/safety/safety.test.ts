import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LINTERS } from "../../../../agents/lib/review/index.ts";
import { judgeSandboxes, renderSafety, safetyOf } from "../../../../workflows/review/index.ts";

const CONFIGS = {
  "eslint.config.js": "export default [];\n",
  ".oxlintrc.json": '{ "overrides": [{ "files": ["*"], "jsPlugins": ["./plugin.js"] }] }',
  "biome.jsonc": '{ "linter": { "enabled": true } }',
};

function setup() {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "safety-")));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(CONFIGS)) writeFileSync(join(directory, name), text);
  return { directory, configs: Object.keys(CONFIGS), protection: judgeSandboxes([]) };
}

test("with trust the report names the configurations that ran code, and the configurations that were data", async () => {
  const safety = await safetyOf({ ...setup(), trusted: true, linters: LINTERS });
  expect(safety).toMatchObject({
    executed: ["eslint.config.js", ".oxlintrc.json"],
    read: ["biome.jsonc"],
    ignored: [],
  });
  expect(renderSafety(safety)).toBe(
    "linters ran without a sandbox: bwrap is not installed; unshare is not installed; the other analysers may also write: they have the rights of the swarm, or of the program, that runs them; code of the repository ran: eslint.config.js, .oxlintrc.json; its configuration was used: biome.jsonc",
  );
});

test("without trust the report names the ignored configurations, of the asked linters only", async () => {
  const safety = await safetyOf({ ...setup(), trusted: false, linters: ["review-biome"] });
  expect(safety).toMatchObject({ executed: [], read: [], ignored: ["biome.jsonc"] });
});

test("the report tells whether the analysers without a program may only read", async () => {
  const own = { had: true, by: "node-permission" } as const;
  const safety = await safetyOf({ ...setup(), trusted: false, linters: LINTERS, analysers: own });
  expect(safety.sandbox.analysers).toEqual(own);
  expect(renderSafety(safety)).toContain("; the other analysers may only read (Node's permission model); ");
  const { analysers: _, ...earlier } = safety.sandbox;
  expect(renderSafety({ ...safety, sandbox: earlier })).not.toContain("the other analysers");
});
