import { expect, it } from "vitest";
import {
  checkExpansion,
  MAX_DEFINITION_LENGTH,
  readDefinition,
  type Surroundings,
} from "../../../src/workflow/graph/index.ts";
import { ORDER } from "./support.ts";

async function faultsOf(text: string, surroundings?: Surroundings): Promise<string[]> {
  const result = await readDefinition(text, surroundings);
  return result.ok ? [] : result.faults.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}

/** A definition with these steps, which begin in line 3. */
const withSteps = (steps: string, head = "") => `workflow: w\nversion: 1\nsteps:\n${steps}\n${head}`;

it("the order example has no fault", async () => {
  expect(await faultsOf(ORDER)).toEqual([]);
});

it.each([
  [
    "- { stp: a, call: echo }",
    "4:3: is no step that is known, with the fields stp, call; did you mean step?",
  ],
  ["- { step: a, sleep: b, call: echo }", "4:3: is both step and sleep; make two steps of it"],
  [
    "- a",
    "4:3: must be a step: an object with one of step, parallel, if, map, loop, race, sleep, signal, approval, child, shared, expand, try, status",
  ],
  ["- { step: a }", "4:3: call must be 1–64 of A–Z a–z 0–9 _ -, got nothing"],
  ["- { step: a, call: echo, wiht: 1 }", "4:32: wiht is not known; did you mean with?"],
  [
    "- { step: 1a, call: echo }",
    '4:11: step must be 1–48 of A–Z a–z 0–9 _ -, beginning with a letter or _, and not __proto__, got "1a"',
  ],
  ["- { step: a, call: echo, timeoutMs: -1 }", "4:37: timeoutMs must be at least 1, got -1"],
  [
    "- { step: a, call: echo, undo: { call: u }, pivot: true }",
    "4:3: step a cannot have both undo and pivot: after a pivot nothing is undone",
  ],
  [
    "- { sleep: a, ms: -5 }",
    "4:19: ms must be a number of milliseconds from 0 to 31622400000, or an expression",
  ],
  ["- { loop: a, while: 'true', do: [] }", "4:3: max must be a number, got nothing"],
  ["- { step: a, call: echo, with: '${input.}' }", '4:41: expected a name after ".", and "}" came'],
  [
    "- { step: a, call: echo, with: { b: [x, 'y ${1 + 2}'] } }",
    "4:48: there is no arithmetic: compute the value in a step or in TypeScript",
  ],
  ["- { if: steps.a.b, then: [] }", "4:15: steps has no field a; there are none"],
  ["- { if: 'a = b', then: [] }", "4:12: write == instead of ="],
  ["- { if: \"'text'\", then: [] }", "4:9: the test must be a boolean, and this is a text"],
  [
    "- { step: a, call: echo }\n- { step: a, call: echo }",
    "5:3: the name a is used twice; give each step its own",
  ],
  [
    "- { step: a, call: echo, with: '${steps.b}' }\n- { step: b, call: echo }",
    "4:41: step b does not come before this place: it stands later, beside it, or inside a map",
  ],
  [
    "- parallel:\n  - { step: a, call: echo }\n  - { step: b, call: echo, with: '${steps.a}' }",
    "6:43: step a does not come before this place: it stands later, beside it, or inside a map",
  ],
  [
    "- { step: bee, call: echo }\n- { step: b, call: echo, with: '${steps.be}' }",
    "5:41: steps has no field be; did you mean bee?",
  ],
  [
    "- { step: a, call: echo, output: { type: strng } }",
    "4:34: is not a JSON Schema that is supported: Unsupported type: strng",
  ],
  [
    "- { step: a, call: echo, output: { type: string } }\n- { map: m, over: '${steps.a}', do: { step: b, call: echo } }",
    "5:19: over must be a list, and this is a text",
  ],
  [
    "- { step: a, call: echo, output: { type: object, properties: { x: { type: number } }, additionalProperties: false } }\n- { step: b, call: echo, with: '${steps.a.y}' }",
    "5:43: steps.a has no field y; did you mean x?",
  ],
  ["- { signal: go }", "4:3: the workflow declares no signal go; there are none"],
  [
    "- { loop: l, while: 'pass < 3', max: 3, do: { step: a, call: echo } }\n- { step: a-1, call: echo }",
    "5:3: the name a-1 is also the name of a pass of step a; give it another one",
  ],
  [
    "- { try: [{ step: a, call: echo }], catch: [{ step: b, call: echo, with: '${error.cod}' }] }",
    "4:83: error has no field cod; did you mean code?",
  ],
  [
    "- { map: m, over: [1], do: { step: a, call: echo, with: '${item.x}' } }",
    "4:65: item is a number, and only an object has a field x",
  ],
])("%s is refused with its place", async (steps, fault) => {
  expect(await faultsOf(withSteps(steps))).toEqual([fault]);
});

it.each([
  [
    "{}",
    [
      "1:1: workflow must be 1–64 of A–Z a–z 0–9 _ -, got nothing",
      "1:1: version must be a number, got nothing",
      "1:1: steps must be a list, got nothing",
    ],
  ],
  [
    "workflow: w\nversion: 1\nstep: []",
    ["1:1: steps must be a list, got nothing", "3:7: step is not known; did you mean steps?"],
  ],
  ["workflow: w\nworkflow: v", ["2:1: Map keys must be unique"]],
  ["a: [", ["1:5: Flow sequence in block collection must be sufficiently indented and end with a ]"]],
])("the file %s is refused", async (text, faults) => {
  expect(await faultsOf(text)).toEqual(faults);
});

it("capabilities and their schemas are checked where they are known", async () => {
  const capabilities = new Map([
    [
      "echo",
      {
        input: {
          type: "object",
          required: ["id"],
          properties: { id: { type: "string" } },
          additionalProperties: false,
        },
      },
    ],
    [
      "charge",
      { output: { type: "object", properties: { paid: { type: "boolean" } }, additionalProperties: false } },
    ],
  ]);
  const steps = [
    "- { step: a, call: ecoh }",
    "- { step: b, call: echo, with: { id: 3 } }",
    "- { step: c, call: echo, with: { nr: x } }",
    "- { step: d, call: charge, undo: { call: refund } }",
    "- { if: steps.d.payed, then: [] }",
    "- { step: e, call: echo, with: { id: 'order ${steps.d.paid}' } }",
  ];
  expect(await faultsOf(withSteps(steps.join("\n")), { capabilities })).toEqual([
    "4:20: no agent offers the capability ecoh; did you mean echo?",
    "5:32: with.id must be a text, and this is a number",
    "6:32: with lacks the field id",
    "7:42: no agent offers the capability refund; there are: echo, charge",
    "8:17: steps.d has no field payed; did you mean paid?",
  ]);
});

it("a workflow that starts itself through its children is refused, and an unknown child", async () => {
  const workflows = new Map([
    ["a", { children: ["b"] }],
    ["b", { children: ["w"] }],
    ["loop", { children: ["loop"] }],
  ]);
  expect(
    await faultsOf(
      withSteps("- { child: c, workflow: a }\n- { child: d, workflow: aa }\n- { child: e, workflow: loop }"),
      { workflows },
    ),
  ).toEqual([
    "4:1: the workflow starts itself as a child: w → a → b → w",
    "5:25: there is no workflow aa; did you mean a?",
  ]);
});

it("a definition that is too large, too deep or explodes by aliases is refused in little time", async () => {
  expect(await faultsOf("x".repeat(MAX_DEFINITION_LENGTH + 1))).toEqual([
    "1:1: the definition has 1048577 characters; at most 1048576 are read",
  ]);
  const many = Array.from({ length: 2_000 }, (_, index) => `- { step: s${index}, call: echo }`).join("\n");
  expect(await faultsOf(withSteps(many))).toEqual(["1004:3: has more than 1000 steps"]);
  const nested = `${"- if: 'true'\n  then: [{ try: [], catch: [".repeat(1)}]}]`;
  expect(await faultsOf(withSteps(nested))).toEqual([]);
  const deep = (depth: number) => `- ${"{ if: 'true', then: [".repeat(depth)}${"] }".repeat(depth)}`;
  expect(await faultsOf(withSteps(deep(20)))).toEqual([
    expect.stringMatching(/is nested deeper than 16 levels$/),
  ]);
  expect(await faultsOf(withSteps(deep(2_000)))).toEqual(["1:1: the file is nested too deeply to be read"]);
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [from, to] of ["ab", "bc", "cd", "de", "ef", "fg", "gh"])
    bomb.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(", ")}]`);
  expect(await faultsOf(bomb.join("\n"))).toEqual([expect.stringMatching(/^1:1: Excessive alias count/)]);
});

it("a definition of 100,000 steps, an added graph of as many, and a step that names itself or __proto__ are refused in little time", async () => {
  const many = Array.from({ length: 100_000 }, (_, index) => ({ step: `s${index}`, call: "echo" }));
  const startedMs = performance.now();
  expect(
    await faultsOf(withSteps(many.map(({ step }) => `- { step: ${step}, call: echo }`).join("\n"))),
  ).toEqual([expect.stringMatching(/^1:1: the definition has \d+ characters; at most 1048576 are read$/)]);
  const [first, ...others] = checkExpansion(many, ["echo"]);
  expect(first).toBe("100: has more than 100 steps");
  expect(others.length).toBeLessThan(100);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(await faultsOf(withSteps("- { step: a, call: echo, with: '${steps.a}' }"))).toEqual([
    "4:41: step a does not come before this place: it stands later, beside it, or inside a map",
  ]);
  expect(await faultsOf(withSteps("- { step: __proto__, call: echo }"))).toEqual([
    '4:11: step must be 1–48 of A–Z a–z 0–9 _ -, beginning with a letter or _, and not __proto__, got "__proto__"',
  ]);
});

it("fields with the names of JavaScript's own properties are data", async () => {
  const faults = await faultsOf(
    withSteps(
      "- { step: a, call: echo, with: { __proto__: { x: 1 }, constructor: '${input.constructor}' } }\n- { step: constructor, call: echo }\n- { step: toString, call: echo, with: '${steps.valueOf}' }",
    ),
  );
  expect(faults).toEqual(["6:48: steps has no field valueOf; there are: a, constructor"]);
  expect(({} as { x?: number }).x).toBeUndefined();
});
