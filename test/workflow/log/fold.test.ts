import { expect, test } from "vitest";
import { type Fold, foldLog, type Op } from "../../../src/workflow/index.ts";
import { createWorkflowTest } from "../../../src/workflow/testing/index.ts";
import { order, orderAgents, orderInput } from "../order.ts";

async function setup() {
  const { agents } = orderAgents();
  const run = createWorkflowTest(order, { agents }).start(orderInput, { id: "o" });
  await run.result();
  return { run, texts: [...run.log] };
}

/** The parts of a fold that a test can compare. */
const plain = ({ deadlines, ...fold }: Fold) => ({ ...fold, deadlines: deadlines.size });

test("the fold of a stored log is the fold of the decider that wrote it", async () => {
  const { run, texts } = await setup();
  const read = foldLog("o", texts);
  expect(read.ok && plain(read.fold)).toEqual(plain(run.fold));
});

test("one entry holds all facts of one decision, and the chain binds it to the entry before", async () => {
  const { texts } = await setup();
  const [first, second] = texts.map((text) => JSON.parse(text));
  expect(first).toMatchObject({ v: 1, id: "o", entry: 1, took: [1] });
  expect(first.facts.map(({ type, path }: Op & { type: string }) => path ?? type)).toEqual([
    "begun",
    "reserve",
    "risk",
  ]);
  expect(second.facts.map(({ type, path }: Op & { type: string }) => `${type} ${path}`)).toEqual([
    "settled reserve",
    "settled risk",
    "ordered charge",
  ]);
});

const breaks: Record<string, [(texts: string[]) => string[], RegExp]> = {
  "a changed entry": [(texts) => texts.with(1, (texts[1] ?? "").replace("true", "false")), /^chain hash is /],
  "a missing entry": [(texts) => texts.toSpliced(1, 1), /^chain hash is /],
  "a foreign entry": [
    (texts) => texts.map((text) => text.replaceAll('"id":"o"', '"id":"x"')),
    /workflow "x", expected "o"/,
  ],
  "an entry of an unknown version": [
    (texts) => texts.map((text) => text.replace('"v":1', '"v":9')),
    /version 9 is unknown/,
  ],
  "a log without its beginning": [(texts) => texts.slice(1), /^chain hash is /],
  "an entry that is no JSON": [() => ["{"], /no JSON object/],
};

test.each(Object.entries(breaks))(
  "%s breaks the log, and the fault names the entry",
  async (_name, [change, fault]) => {
    const { texts } = await setup();
    const read = foldLog("o", change(texts));
    expect(read).toMatchObject({ ok: false, fault: expect.stringMatching(fault), entry: expect.any(Number) });
  },
);
