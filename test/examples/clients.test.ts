import { execFile } from "node:child_process";
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
