import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadDefinition } from "../../../../src/workflow/index.ts";
import { createWorkflowTest } from "../../../../src/workflow/testing/index.ts";
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
      { file: "a.yaml", definitions: [{ name: "a", version: 1 }], faults: [], unread: [] },
      {
        file: "b.yaml",
        definitions: [],
        faults: [{ line: 4, column: 37, message: "there is no step; did you mean steps?" }],
        unread: [],
      },
      {
        file: "none.yaml",
        definitions: [],
        faults: [{ line: 1, column: 1, message: "the file cannot be read: ENOENT" }],
        unread: [],
      },
    ],
  });
});

test("workflow check reads modules, tells faults of their code, and loads them", async () => {
  const { call, directory } = setupWorld();
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  mkdirSync(join(directory, "workflows"));
  const code = (body: string) =>
    `import { defineWorkflow, step } from "murmur-swarm";\nimport { tax } from "../tax.ts";\nexport const one = defineWorkflow({ name: "a", version: 1, *run() { ${body} } });\nexport const two = defineWorkflow({ name: "a", version: 2, *run() { return tax(1); } });\n`;
  write("tax.ts", "export const tax = (n: number): number => n * 2;\n");
  write("workflows/a.ts", code('return yield* step("one", "echo");'));
  expect(await call("workflow check")).toMatchObject({
    exitCode: 0,
    stdout: "workflows/a.ts: a v1, a v2 are right\n",
  });

  write("tax.ts", "export const tax = (n: number): number => n * Date.now();\n");
  const wrong = await call("workflow check --json");
  expect(wrong.exitCode).toBe(1);
  expect(wrong.json()).toMatchObject({
    files: [
      {
        definitions: [
          { name: "a", version: 1 },
          { name: "a", version: 2 },
        ],
        faults: [{ module: "tax.ts", line: 1, column: 47 }],
      },
    ],
  });

  write("b.ts", 'throw new Error("broken");\n');
  expect(await call("workflow check b.ts")).toMatchObject({ exitCode: 1, stdout: "b.ts:1:1: broken\n" });
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

test("workflow replay makes the decisions of a folder of logs again, and ends with 1 at the first difference", async () => {
  const { call, directory } = setupWorld();
  const text = (input: string) => definition("calm", `- { step: one, call: echo, with: ${input} }`);
  const { definition: calm } = await loadDefinition(text("1"), "calm.yaml");
  const run = createWorkflowTest(calm, { agents: { echo: (input) => input } }).start(null, { id: "r1" });
  await run.result();
  mkdirSync(join(directory, "workflows"));
  mkdirSync(join(directory, "logs"));
  for (const name of ["a", "b"]) writeFileSync(join(directory, `logs/${name}.jsonl`), run.log.join("\n"));
  writeFileSync(join(directory, "workflows/calm.yaml"), text("1"));
  const same = await call("workflow replay logs");
  expect(same).toMatchObject({
    exitCode: 0,
    stdout: "logs/a.jsonl: calm v1, 2 entries are the same\nlogs/b.jsonl: calm v1, 2 entries are the same\n",
  });
  writeFileSync(join(directory, "workflows/calm.yaml"), text("2"));
  const other = await call("workflow replay logs");
  expect(other.exitCode).toBe(1);
  expect(other.stdout.split("\n").slice(0, 4)).toEqual([
    "logs/a.jsonl: calm v1 differs in fact 2 of entry 1",
    expect.stringMatching(/^ {2}the log: .*"input":1/),
    expect.stringMatching(/^ {2}the code: .*"input":2/),
    "1 further logs were not replayed after the first difference",
  ]);
  expect((await call("workflow replay workflows")).exitCode).not.toBe(0);
});

test("workflow graph draws a definition with its branches, and needs no server", async () => {
  const { call, directory } = setupWorld();
  const steps = `- if: \${input.big == true}
  then: [{ step: one, call: echo, undo: { call: undo } }]
- parallel: [{ step: two, call: echo }, { step: three, call: echo, pivot: true }]`;
  writeFileSync(join(directory, "a.yaml"), definition("a", steps));
  const { exitCode, stdout } = await call("workflow graph a.yaml");
  expect(exitCode).toBe(0);
  expect(stdout.split("\n")).toEqual([
    "flowchart TD",
    '  start(["a v1"])',
    '  n1{"${input.big == true}"}',
    "  start --> n1",
    '  n2["one: echo ↺ undo"]',
    '  n1 -->|"yes"| n2',
    '  n3["two: echo"]',
    "  n2 --> n3",
    '  n1 -->|"no"| n3',
    '  n4["three: echo ⚑"]',
    "  n2 --> n4",
    '  n1 -->|"no"| n4',
    '  end(["end"])',
    "  n3 --> end",
    "  n4 --> end",
    "",
  ]);
});
