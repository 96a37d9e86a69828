// The PATH line of CONTRIBUTING.md, as a newcomer pastes it.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

test("after the PATH line, the shell finds a Node that runs the sources, and the tools of the checkout", () => {
  const [line] = /^export PATH=.*$/m.exec(readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8")) ?? [];
  const script = `${line}\nnode --print 'Boolean(process.features.typescript)' && for tool in biome tsc vitest; do command -v $tool; done`;
  // The rest of the PATH is that of the test: a checkout beside a new Node has no Node of its own.
  const { stdout, status } = spawnSync("sh", ["-c", script], { cwd: ROOT, encoding: "utf8" });
  const tools = ["biome", "tsc", "vitest"].map((tool) => join(ROOT, "node_modules/.bin", tool));
  expect(stdout.trimEnd().split("\n")).toEqual(["true", ...tools]);
  expect(status).toBe(0);
});
