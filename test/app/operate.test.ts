// The pages for operators and the runbooks: every command and every flag in them exists. The pages of alerts have a test of their parts
// beside the alerts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FAULTS } from "../../tools/rigs/alerts/faults.ts";
import { findCommandFault } from "../support/commands.ts";

const docs = join(import.meta.dirname, "../../docs");
const pages = ["operate", "runbooks"].flatMap((folder) =>
  readdirSync(join(docs, folder)).map((name) => `${folder}/${name}`),
);
const read = (page: string) => readFileSync(join(docs, page), "utf8");
/** The command lines of a page: whole lines of code blocks, and code in sentences. A command ends at a comment, a pipe or another command. */
const commandsOf = (page: string) =>
  [...read(page).matchAll(/(?:^|`)(?:\.\/)?murmur ([^`\n]+)/gm)].map(([, line = ""]) =>
    line.split(/ [#|&]|&&/)[0]!.trim(),
  );

test("the commands and the flags that pages for operators and runbooks name exist", () => {
  const faults = pages.flatMap((page) =>
    commandsOf(page).flatMap((line) => {
      const fault = findCommandFault(line);
      return fault === null ? [] : [`${page}: murmur ${line}: ${fault}`];
    }),
  );
  expect(faults).toEqual([]);
  expect(pages.flatMap(commandsOf).length).toBeGreaterThan(80);
});

test("an unknown command, and a flag that the command does not have, are found", () => {
  expect(findCommandFault("task ls --state pending")).toBe(null);
  expect(findCommandFault("logs -f echo --json")).toBe(null);
  expect(findCommandFault("task list")).toContain("there is no command");
  expect(findCommandFault("dead ls --state failed")).toContain("dead ls has no --state");
});

test("the page of drills names every fault that it promises, by its name", () => {
  const names = FAULTS.map(({ name }) => name);
  const rows = [...read("operate/drills.md").matchAll(/^\| [^|]+ \| ([^|]+) \| \[/gm)].map(
    ([, cell = ""]) => cell,
  );
  const told = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  expect(told.length).toBeGreaterThan(12);
  for (const name of told) expect(names).toContain(name);
});
