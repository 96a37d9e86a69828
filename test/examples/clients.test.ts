import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { preparePython, whyNoPython } from "./python.ts";
import { type EchoSwarm, startEchoSwarm } from "./swarm.ts";

const examples = join(import.meta.dirname, "../../examples");
const noPython = await whyNoPython();
const PREPARE_LIMIT_MS = 180_000;

let swarm: EchoSwarm;
beforeAll(async () => {
  swarm = await startEchoSwarm();
}, PREPARE_LIMIT_MS);
afterAll(() => swarm?.stop());

/** Runs an example and returns its lines of JSON, parsed. */
async function runExample(command: string, args: string[]): Promise<unknown[]> {
  const { stdout } = await promisify(execFile)(command, args, {
    env: { ...process.env, NATS_URL: swarm.url },
  });
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("a TypeScript program submits a task and reads its result, using the contract alone", async () => {
  const file = join(examples, "typescript/publish-task.ts");
  const [announced, stored] = await runExample(process.execPath, [file, '{"n": 1}']);
  expect(announced).toMatchObject({ status: "completed", output: { n: 1 }, attempt: 1 });
  expect(stored).toEqual(announced);
});

test.skipIf(noPython !== undefined)(
  `a Python program submits a task and reads its result with nats-py${noPython === undefined ? "" : ` (skipped: ${noPython})`}`,
  async () => {
    const python = await preparePython(join(examples, "python"));
    const file = join(examples, "python/publish_task.py");
    const [announced, stored] = await runExample(python, [file, '{"n": 2}']);
    expect(announced).toMatchObject({ status: "completed", output: { n: 2 }, attempt: 1 });
    expect(stored).toEqual(announced);
  },
  PREPARE_LIMIT_MS,
);

test.skipIf(noPython !== undefined)(
  `a Python program submits a ballot and reads its verdict${noPython === undefined ? "" : ` (skipped: ${noPython})`}`,
  async () => {
    const python = await preparePython(join(examples, "python"));
    const file = join(examples, "python/submit_ballot.py");
    const [verdict, ...seats] = await runExample(python, [file, "Das Wetter ist heute schön", "3"]);
    expect(verdict).toMatchObject({ status: "completed", outcome: "decided", value: "german" });
    expect(seats).toMatchObject([{ seat: 1 }, { seat: 2 }, { seat: 3 }]);
  },
  PREPARE_LIMIT_MS,
);

const page = readFileSync(join(import.meta.dirname, "../../docs/other-languages.md"), "utf8");
const contractFile = join(examples, "python/contract.py");

test("each Python example of docs/other-languages.md is a part of the program that the next test runs", () => {
  const program = readFileSync(contractFile, "utf8");
  const blocks = [...page.matchAll(/^```python\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
  expect(blocks.length).toBeGreaterThan(7);
  expect(blocks.filter((code) => !program.includes(code))).toEqual([]);
});

test.skipIf(noPython !== undefined)(
  `a Python service uses each part of the contract that the page explains${noPython === undefined ? "" : ` (skipped: ${noPython})`}`,
  async () => {
    const python = await preparePython(join(examples, "python"));
    const facts = Object.assign({}, ...(await runExample(python, [contractFile])));
    const { refused, ...others } = facts;
    expect(refused).toMatch(/^invalid_input: .*retry\.max/);
    expect(others).toEqual({
      accepted: "accepted",
      waited: 2,
      first: { n: 3 },
      repeatedPublishIsDuplicate: true,
      repeatedRunIsEqual: true,
      mistypedPriority: "no acknowledgement",
      msgpack: [0, 1],
      largeOutput: 700_000,
      whileDelayed: null,
      afterDelay: 4,
      events: ["progress", "started"],
      cancelled: true,
      status: "cancelled",
      cancelledTooLate: false,
      cancelledInScope: true,
    });
  },
  PREPARE_LIMIT_MS,
);
