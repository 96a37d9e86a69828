import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld } from "../../support.ts";

const definition = (name: string, steps: string) => `workflow: ${name}\nversion: 1\nsteps:\n${steps}\n`;

test("workflow check tells the faults of all files with their places, and ends with 1", async () => {
  const { call, directory } = setupWorld();
  writeFileSync(
    join(directory, "a.yaml"),
    definition("a", "- { step: one, call: echo, with: '${input.id}' }"),
  );
  writeFileSync(
    join(directory, "b.yaml"),
    definition("b", "- { step: one, call: echo, with: '${step.one}' }"),
  );
  const right = await call("workflow check a.yaml");
  expect(right).toMatchObject({ exitCode: 0, stdout: "a.yaml: a v1 is right\n" });
  const wrong = await call("workflow check a.yaml b.yaml none.yaml --json");
  expect(wrong.exitCode).toBe(1);
  expect(wrong.json()).toEqual({
    isRight: false,
    files: [
      { file: "a.yaml", workflow: "a", version: 1, faults: [] },
      {
        file: "b.yaml",
        workflow: null,
        version: null,
        faults: [{ line: 4, column: 37, message: "there is no step; did you mean steps?" }],
      },
      {
        file: "none.yaml",
        workflow: null,
        version: null,
        faults: [{ line: 1, column: 1, message: "the file cannot be read: ENOENT" }],
      },
    ],
  });
});

test("workflow check finds a workflow that starts itself over several files", async () => {
  const { call, directory } = setupWorld();
  writeFileSync(join(directory, "a.yaml"), definition("a", "- { child: one, workflow: b }"));
  writeFileSync(
    join(directory, "b.yaml"),
    definition("b", "- { child: one, workflow: a }\n- { child: two, workflow: elsewhere }"),
  );
  const ran = await call("workflow check a.yaml b.yaml");
  expect(ran).toMatchObject({
    exitCode: 1,
    stdout:
      "a.yaml:4:1: the workflow starts itself as a child: a → b → a\nb.yaml:4:1: the workflow starts itself as a child: b → a → b\n",
  });
});
