import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VERSION } from "../../src/app/version.ts";
import { describeMetrics } from "../../src/base/index.ts";
import { expectGolden } from "../support/golden.ts";
import { commandsPage, configurationPage } from "./pages.ts";

const docs = join(import.meta.dirname, "../../docs");

test("docs/configuration.md is made from the settings", () => {
  expectGolden(join(docs, "configuration.md"), configurationPage());
});

test("docs/commands.md is made from the help of every command", async () => {
  expectGolden(join(docs, "commands.md"), await commandsPage(VERSION));
});

test("docs/operations.md lists every metric with its labels", () => {
  const page = readFileSync(join(docs, "operations.md"), "utf8");
  for (const { name, labels } of describeMetrics()) {
    expect(page, name).toContain(`| \`${name}\` | ${labels.join(", ")}`);
  }
});
