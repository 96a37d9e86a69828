import { expect, it } from "vitest";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectMemory, type Log, MemoryServer } from "../../../src/transport/index.ts";
import { createJournal, NO_RECORDS, trimJournal } from "../../../src/work/stores/journal.ts";

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

it("a stream that refuses roll-ups gets the closing record all the same, and loses the records before it: by this process, or by its trimmer", async () => {
  const transport = connectMemory({ server: new MemoryServer(), prefix: "murmur" });
  await transport.init({ hasPermissions: true });
  const subjects = createSubjects(transport.prefix);
  const log = transport.log("journal");
  const trimmed: string[] = [];
  const trim = async (at: { capability: string; taskId: string }) => {
    trimmed.push(at.taskId);
    await trimJournal(log, subjects, at);
  };
  const journals = {
    own: createJournal(log, subjects),
    trimmed: createJournal(log, subjects, { trimmer: { trim } }),
  };
  const typesOf = async (taskId: string) =>
    (await journals.own.records("echo", taskId)).map(({ record }) => record.type);
  for (const [taskId, journal] of Object.entries(journals)) {
    const tip = await journal.append(
      "echo",
      taskId,
      { type: "started", attempt: 1, agent: "a", at: AT },
      NO_RECORDS,
    );
    await journal.append("echo", taskId, { type: "started", attempt: 2, agent: "a", at: AT }, tip);
    await trimJournal(log, subjects, { capability: "echo", taskId }); // it has not ended
    expect(await typesOf(taskId)).toEqual(["started", "started"]);
    await journal.close("echo", taskId, { attempt: 2, agent: "a", outcome: "completed" }, 0);
    expect(await typesOf(taskId)).toEqual(["finished"]);
    expect((await journal.history("echo", taskId)).attempts).toMatchObject([
      { outcome: "died" },
      { outcome: "completed" },
    ]);
  }
  expect(trimmed).toEqual(["trimmed"]);
});
