import { expect, test } from "vitest";
import { createSpelling } from "../../../src/app/cli/spelling.ts";

const spell = createSpelling("npx murmur", ["up", "task", "help"]);

test("commands are named as the user types them", () => {
  expect(spell("no swarm runs; murmur up starts one, `murmur task ls` lists tasks")).toBe(
    "no swarm runs; npx murmur up starts one, `npx murmur task ls` lists tasks",
  );
  expect(spell("Usage: murmur [options]\nmurmur --help lists them")).toBe(
    "Usage: npx murmur [options]\nnpx murmur --help lists them",
  );
});

test("words that only look like commands stay", () => {
  for (const text of ["murmur upper", "npx-murmur up", "./murmur up", "the murmur of tasks", "murmur: up"])
    expect(spell(text)).toBe(text);
});

test("where the command is murmur, texts stay as they are", () => {
  expect(createSpelling("murmur", ["up"])("murmur up")).toBe("murmur up");
});
