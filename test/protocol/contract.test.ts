import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generatedFiles } from "../../tools/build/generate.ts";

const root = join(import.meta.dirname, "..", "..");

test.each([...generatedFiles()])("%s is up to date (node tools/build/generate.ts)", (path, contents) => {
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(join(root, path), contents);
  expect(readFileSync(join(root, path), "utf8")).toBe(contents);
});

test("the contract lists each subject, stream, error code, command and metric", () => {
  const page = generatedFiles().get("docs/contract.md") ?? "";
  for (const name of [
    "<p>.submit",
    "MURMUR_TASKS",
    "MURMUR_PLACED-<CLASS>",
    "MURMUR_BLOBS",
    "invalid_input",
    "task show",
    "murmur_agents",
  ])
    expect(page).toContain(`\`${name}\``);
  expect(page.match(/<!-- generated: /g)).toHaveLength(8);
});
