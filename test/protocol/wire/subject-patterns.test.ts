import { expect, test } from "vitest";
import { createSubjects, fitsFilter, SUBJECT_FACTS, subjectPattern } from "../../../src/protocol/index.ts";

test("a pattern has a wildcard for each token that is not fixed", () => {
  expect(subjectPattern("murmur", "task", { capability: "echo" })).toBe("murmur.task.echo.*.*.*");
  expect(subjectPattern("murmur", "topic")).toBe("murmur.topic.>");
  expect(subjectPattern("murmur", "officeLog")).toBe("murmur.log.office");
});

test("a pattern fits the subject that the builder makes", () => {
  const subjects = createSubjects("murmur");
  const task = subjects.task({ capability: "echo", priority: "low", scope: "-", taskId: "t" });
  expect(fitsFilter(subjectPattern("murmur", "task", { capability: "echo" }), task)).toBe(true);
  expect(fitsFilter(subjectPattern("murmur", "task", { capability: "other" }), task)).toBe(false);
});

test("every form gives a pattern", () => {
  for (const name of Object.keys(SUBJECT_FACTS) as (keyof typeof SUBJECT_FACTS)[]) {
    expect(subjectPattern("murmur", name)).toMatch(/^murmur\.[a-zA-Z*>.-]+$/);
  }
});

test.each([
  [{ capability: "*" }, /bad token capability of task: \*/],
  [{ capability: "a.b" }, /bad token/],
  [{ capability: ">" }, /bad token/],
  [{ host: "h" }, /task has no token host/],
])("%j cannot widen or miss a pattern", (tokens, message) => {
  expect(() => subjectPattern("murmur", "task", tokens as Record<string, string>)).toThrow(message);
});
