import { join } from "node:path";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { BenchProcess } from "../../../src/app/bench/bench-child.ts";
import { createOperateDoor } from "../../../src/app/door/index.ts";
import { OPERATIONS } from "../../../src/app/operations/index.ts";
import { rightsOf, seedFile } from "../../../src/app/permissions/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { createQueueConsumers, createTaskClient } from "../../../src/work/index.ts";
import { startGuarded } from "../../permissions/support.ts";
import { startNatsServer } from "../../support/nats-server.ts";

const SETUP = {
  kind: "bare-publisher",
  prefix: "bare",
  roleDirectories: [],
  agents: 1,
  inFlight: 4,
} as const;

test("a bare loop whose messages are not answered ends the benchmark after the limit, and tells how far it came", async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const parts = { servers: server.url, prefix: "bare", log: silentLogger, meter: createMeter() };
  const transport = await connectNats({ ...parts, name: "test" });
  await transport.init();
  await transport.close();
  const failure = new AbortController();
  const life = {
    signal: failure.signal,
    onEnded: (error: Error) => failure.abort(error),
    stallLimitMs: 1_500,
  };
  // No process takes the tasks.
  const publisher = await BenchProcess.open({ ...SETUP, servers: server.url }, life);
  onTestFinished(() => publisher.close());
  await expect(publisher.ask({ op: "tasks", count: 100, inFlight: 4 })).rejects.toThrow(
    "after 0 of 100 jobs, no job of tasks ended for 1.5 s",
  );
  // Another process that ends fails the wait for this one.
  life.stallLimitMs = 60_000;
  const waiting = expect(publisher.ask({ op: "tasks", count: 100, inFlight: 4 })).rejects.toThrow(
    "bare-agent of the benchmark ended",
  );
  const bad = { ...SETUP, kind: "bare-agent", servers: "nats://127.0.0.1:1" } as const;
  await expect(BenchProcess.open(bad, life)).rejects.toThrow(
    "the process bare-agent of the benchmark ended (1)",
  );
  await waiting;
}, 60_000);

test("the agent of the benchmark performs a redelivered task on a server with permissions: it reads the journal through an api process", async () => {
  const guarded = await startGuarded("version: 1\nclasses: [{ name: default, capabilities: [echo] }]\n");
  onTestFinished(() => guarded.stop());
  const init = await guarded.connect("init");
  await init.init({ classes: ["default"] });
  await createQueueConsumers(init, ["echo"]);
  await init.close();
  const transport = await guarded.connect("api");
  const parts = { transport, meter: createMeter(), log: silentLogger };
  const tasks = createTaskClient(parts);
  const door = createOperateDoor({
    ...{ ...parts, tasks, operations: OPERATIONS },
    auditor: async () => true,
    rightsOf: (user) => rightsOf(user, guarded.file),
    onRefused: () => undefined,
  });
  await door.start();
  onTestFinished(async () => {
    await door.stop();
    tasks.close();
    await transport.close();
  });
  const done = tasks.run({ capability: "echo", input: 1 }, { timeoutMs: 50_000 });
  const name = "agent-default";
  await deliverOnce(guarded.server.url, guarded.seed(name));

  const user = {
    name,
    nkeyFile: seedFile(guarded.keys, name),
    inboxPrefix: `_INBOX.${name}`,
    agentClass: "default",
  };
  const agent = await BenchProcess.open(
    {
      ...{ ...SETUP, kind: "agent", servers: guarded.server.url, prefix: "murmur", user },
      roleDirectories: [join(import.meta.dirname, "../../../agents")],
    },
    { signal: new AbortController().signal, onEnded: () => undefined },
  );
  onTestFinished(() => agent.close());
  expect(await done).toMatchObject({ status: "completed", output: 1 });
}, 60_000);

/** Takes the next task of echo and gives it back, so that NATS redelivers it. */
async function deliverOnce(servers: string, seed: string): Promise<void> {
  const authenticator = nkeyAuthenticator(new TextEncoder().encode(seed));
  const nc = await connect({ servers, authenticator, inboxPrefix: "_INBOX.agent-default" });
  const message = await nc.request("$JS.API.CONSUMER.MSG.NEXT.MURMUR_TASKS.echo-normal", "", {
    timeout: 20_000,
    noMux: true, // the message keeps the subject of its stream
  });
  message.respond("-NAK");
  await nc.close();
}
