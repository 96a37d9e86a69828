import { expect, test } from "vitest";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectMemory, type Log, MemoryServer } from "../../../src/transport/index.ts";
import { createJournal, NO_RECORDS } from "../../../src/work/stores/journal.ts";
import { createTrailReader } from "../../../src/work/stores/trail.ts";

const AT = new Date(0).toISOString();
const ADDRESS = { capability: "echo", priority: "normal", scope: "-", taskId: "t1" } as const;

/** A task with four records, and a journal that may append and read nothing: its records come from the trail. */
async function setup() {
  const transport = connectMemory({ server: new MemoryServer(), prefix: "murmur" });
  await transport.init();
  const subjects = createSubjects(transport.prefix);
  const log = transport.log("journal");
  const direct = createJournal(log, subjects);
  const hop = { agent: "a1", attempt: 1, at: AT };
  const handOff = { ...hop, message: 1, to: "best" as const, context: 7, hops: [hop] };
  let tip = await direct.append("echo", "t1", { type: "handed", ...handOff }, NO_RECORDS);
  tip = await direct.append("echo", "t1", { type: "started", attempt: 2, agent: "a2", at: AT }, tip);
  const trail = createTrailReader(transport, subjects);
  const appending = { append: log.append.bind(log) } as Pick<Log, "append"> as Log;
  return { transport, subjects, direct, trail, asking: createJournal(appending, subjects, { trail }) };
}

test("a journal whose records come from the trail has the same tip, history and end as a reader of the stream", async () => {
  const { direct, asking } = await setup();
  expect(await asking.tip("echo", "t1")).toEqual(await direct.tip("echo", "t1"));
  expect(await asking.tip("echo", "other")).toEqual(NO_RECORDS);
  expect(await asking.history("echo", "t1")).toEqual(await direct.history("echo", "t1"));
  const tip = await asking.tip("echo", "t1");
  await asking.append("echo", "t1", { type: "returned", attempt: 2, agent: "a2", at: AT }, tip);
  await asking.close("echo", "t1", { attempt: 2, agent: "a2", outcome: "completed" }, 0);
  expect(await direct.tip("echo", "t1")).toMatchObject({ record: { type: "finished", attempt: 2 } });
});

test("the places of a task are its queue, its agent, and the later stream", async () => {
  const { transport, subjects, trail } = await setup();
  expect(await trail.places(ADDRESS)).toEqual({ placed: [], isLater: false, isQueued: false });
  const body = new TextEncoder().encode("{}");
  await transport.log("tasks").append(subjects.task(ADDRESS), body);
  await transport.log("later").append(subjects.due(ADDRESS), body);
  expect(await trail.places(ADDRESS)).toEqual({ placed: [], isLater: true, isQueued: true });
});
