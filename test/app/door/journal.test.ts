// An agent whose NATS user may not read the journal stream takes over a redelivered task: it asks the front door for the trail.
import { expect, onTestFinished, test } from "vitest";
import { createOperateDoor } from "../../../src/app/door/index.ts";
import { OPERATIONS } from "../../../src/app/operations/index.ts";
import { parsePermissions, rightsOf } from "../../../src/app/permissions/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createSubjects, decode, encode, RetryableError } from "../../../src/protocol/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import {
  createHostDoor,
  createTaskClient,
  createTrailReader,
  createWorker,
} from "../../../src/work/index.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { ScriptedWorkforce } from "../../work/support.ts";

const PERMISSIONS = "version: 1\nclasses: [{ name: default, capabilities: [echo] }]\n";
/** Every read of the journal stream that names no message, every purge, and the stream of delayed tasks. */
const DENIED = [
  "murmur.later.>",
  "$JS.API.STREAM.PURGE.>",
  "$JS.API.STREAM.MSG.GET.MURMUR_JOURNAL",
  "$JS.API.DIRECT.GET.MURMUR_JOURNAL.>",
  "$JS.API.DIRECT.GET.MURMUR_JOURNAL",
];

async function setup() {
  const server = await startNatsServer({
    config: `authorization { users = [
      { user: swarm, password: s }
      { user: agents, password: s, permissions: { publish: { deny: ${JSON.stringify(DENIED)} } } }
    ] }`,
  });
  onTestFinished(() => server.stop());
  const parts = { log: silentLogger, meter: createMeter() };
  const connect = async (user: string) => {
    const transport = await connectNats({
      ...{ ...parts, servers: server.url, name: user, prefix: "murmur" },
      credentials: { user, password: "s" },
    });
    onTestFinished(() => transport.close());
    return transport;
  };
  const [swarm, agents] = [await connect("swarm"), await connect("agents")];
  await swarm.init({ hasPermissions: true });
  const tasks = createTaskClient({ transport: swarm, meter: parts.meter });
  onTestFinished(() => tasks.close());
  const permissions = await parsePermissions(PERMISSIONS, "permissions.yaml");
  const door = createOperateDoor({
    ...{ transport: swarm, tasks, ...parts, operations: OPERATIONS },
    auditor: async () => true,
    rightsOf: (user) => rightsOf(user, permissions),
    onRefused: () => undefined,
  });
  await door.start();
  onTestFinished(() => door.stop());
  const host = createHostDoor({ transport: agents, user: "agent-default" });
  return { swarm, agents, tasks, ...host, host, parts };
}

test("a redelivered task of an agent without rights on the journal counts its attempts through the front door", {
  timeout: 60_000,
}, async () => {
  const { swarm, agents, tasks, host, parts } = await setup();
  const workforce = new ScriptedWorkforce(1, async ({ number }) => {
    if (number < 3) throw new RetryableError("not yet");
    return number;
  });
  const worker = createWorker({
    ...{ transport: agents, ...parts, hostId: "host", workforce, capabilities: [{ name: "echo" }] },
    door: host,
  });
  await worker.start();
  onTestFinished(() => worker.stop());
  const retry = { max: 3, backoffMs: 10 };
  const result = await tasks.run({ id: "t1", capability: "echo", retry }, { timeoutMs: 50_000 });
  expect(result).toMatchObject({ output: 3, attempt: 3 });
  // The closing record of the journal has the history of all attempts, and the front door has removed the others.
  const types = async () =>
    (await host.trail.records({ capability: "echo", taskId: "t1" })).map(({ record }) => record.type);
  await expect.poll(types, { timeout: 20_000 }).toEqual(["finished"]);

  // A task that was published too early, as a retry after a long time, waits in the stream that agents may not write to.
  const subjects = createSubjects("murmur");
  const at = { capability: "echo", priority: "normal", scope: "-", taskId: "t2" } as const;
  await swarm.log("tasks").append(subjects.task(at), encode({ capability: "echo", notBefore: 600_000 }));
  const delayed = () => swarm.log("later").last(subjects.later("-", "t2"), { fresh: true });
  await expect.poll(delayed, { timeout: 20_000 }).not.toBeNull();
  const { data } = (await delayed())!;
  expect(decode(data)).toMatchObject({ value: { capability: "echo", notBefore: expect.any(String) } });
});

test("an agent delays tasks and trims journals of its own capabilities only", async () => {
  const { later, trimmer } = await setup();
  const message = { data: encode({ capability: "other" }), header: () => undefined };
  const at = { capability: "other", priority: "normal", scope: "-", taskId: "t1" } as const;
  const refused = expect.objectContaining({ code: "not_permitted" });
  await expect(later.store(at, message, Date.now() + 60_000)).rejects.toThrow(refused);
  await expect(trimmer.trim(at)).rejects.toThrow(refused);
  expect(await later.store({ ...at, capability: "echo" }, message, Date.now() + 60_000)).toBe(true);
  expect(await later.store({ ...at, capability: "echo" }, message, Date.now() + 90_000)).toBe(false);
});

test("the trail of the front door is that of the stream, and another capability is refused", async () => {
  const { swarm, trail } = await setup();
  const subjects = createSubjects("murmur");
  const journal = swarm.log("journal");
  const record = { type: "started", attempt: 1, agent: "a", at: "2026-01-01T00:00:00.000Z" };
  for (const capability of ["echo", "other"])
    await journal.append(subjects.journal(capability, "t1"), encode(record));
  const own = createTrailReader(swarm, subjects);
  const at = { capability: "echo", taskId: "t1", priority: "normal", scope: "-" } as const;
  expect(await trail.records(at)).toEqual(await own.records(at));
  expect(await trail.records(at)).toMatchObject([{ seq: 1, record }]);
  expect(await trail.places(at)).toEqual({ placed: [], isLater: false, isQueued: false });
  const refused = expect.objectContaining({ code: "not_permitted" });
  await expect(trail.records({ ...at, capability: "other" })).rejects.toThrow(refused);
  await expect(trail.places({ ...at, capability: "other" })).rejects.toThrow(refused);
});
