import { expect, it } from "vitest";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectMemory, type Log, MemoryServer } from "../../../src/transport/index.ts";
import { createJournal, NO_RECORDS } from "../../../src/work/stores/journal.ts";

const AT = new Date(0).toISOString();

/** The journal of a task that a1 handed off and a2 has started, and a second reader of it whose `get` is `read`. */
async function setup(read: (log: Log, seq: number) => ReturnType<Log["get"]>) {
  const transport = connectMemory({ server: new MemoryServer(), prefix: "murmur" });
  await transport.init();
  const subjects = createSubjects(transport.prefix);
  const log = transport.log("journal");
  const journal = createJournal(log, subjects);
  const hop = { agent: "a1", attempt: 1, at: AT };
  const handOff = { ...hop, message: 1, to: "best" as const, context: 7, hops: [hop] };
  const tip = await journal.append("echo", "t1", { type: "handed", ...handOff }, NO_RECORDS);
  await journal.append("echo", "t1", { type: "started", attempt: 2, agent: "a2", at: AT }, tip);
  const reading = {
    last: log.last.bind(log),
    read: log.read.bind(log),
    get: (seq: number) => read(log, seq),
  } as Log;
  return { journal, reader: createJournal(reading, subjects) };
}

it("the tip holds the hand-off that the last record names", async () => {
  const { reader } = await setup((log, seq) => log.get(seq));
  expect(await reader.tip("echo", "t1")).toMatchObject({ handed: { record: { context: 7, agent: "a1" } } });
});

it("the tip shows the end of a task that ended while its hand-off was being read", async () => {
  const { journal, reader } = await setup(async (log, seq) => {
    await journal.close("echo", "t1", { attempt: 2, agent: "a2", outcome: "completed" }, 0);
    return log.get(seq);
  });
  expect(await reader.tip("echo", "t1")).toMatchObject({ record: { type: "finished" }, handed: null });
});

it("reading the tip fails with `unavailable` while the named hand-off cannot be read", async () => {
  const { reader } = await setup(async () => null);
  await expect(reader.tip("echo", "t1")).rejects.toMatchObject({ code: "unavailable" });
});
