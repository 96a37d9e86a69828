import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const example = join(root, "examples/order-workflow");

test("each example of docs/workflows.md is a part of the files that the next test runs", () => {
  const files = ["workflow.ts", "check.ts", "order.yaml"]
    .map((name) => readFileSync(join(example, name), "utf8"))
    .join("\n");
  const page = readFileSync(join(root, "docs/workflows.md"), "utf8");
  const blocks = [...page.matchAll(/^```(?:ts|yaml)\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? "");
  expect(blocks.length).toBeGreaterThan(2);
  expect(blocks.filter((code) => !files.includes(code))).toEqual([]);
});

test("the tests of the example pass", async () => {
  const ran = await promisify(execFile)(
    process.execPath,
    ["--test", "--test-reporter=tap", join(example, "check.ts")],
    {
      cwd: root,
    },
  );
  expect(ran.stdout).toMatch(/# pass 3\b/);
});
