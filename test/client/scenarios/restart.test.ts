// The server dies by SIGKILL in the middle of a program's calls, and starts again on its store.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { scaled } from "../../support/scale.ts";
import { signal, TestSwarm, until } from "../../work/support.ts";

/** Each restart costs seconds: the server recovers its store, and clients reconnect. */
const LIMIT_MS = 120_000;
const TASKS = scaled(300, 3_000);

let server: NatsServer;
let swarm: TestSwarm;
let client: Client;
const gate = signal();
let started = 0;

beforeAll(async () => {
  server = await startNatsServer();
  swarm = new TestSwarm(server.url);
  await swarm.work(
    async ({ task }) => {
      started++;
      if (task.capability === "held") await gate.promise;
      return task.input;
    },
    { slots: 16, capabilities: [{ name: "echo" }, { name: "held" }] },
  );
  client = await connect({ servers: server.url, prefix: swarm.prefix });
}, LIMIT_MS);
afterAll(async () => {
  await client?.close();
  await swarm?.stop();
  await server?.stop();
});

it(
  "a wait, a run, a watch and a submit survive the death of the server",
  async () => {
    await client.submit({ id: "waited", capability: "held", input: 1 });
    const waiting = client.wait("waited");
    const running = client.run({ id: "run", capability: "held", input: 2 });
    const states: string[] = [];
    const watching = (async () => {
      for await (const { state } of client.watch("waited")) states.push(state);
    })();
    await until(async () => (started === 2 && states.length > 0 ? true : undefined));
    await server.kill();
    const submitting = client.submit({ id: "while-down", capability: "echo", input: 3 });
    gate.resolve(); // both attempts end while no server is there
    await server.restart();
    expect(await waiting).toMatchObject({ status: "completed", output: 1, attempt: 1 });
    expect(await running).toMatchObject({ status: "completed", output: 2, attempt: 1 });
    await watching;
    expect(states.at(-1)).toBe("completed");
    expect(await submitting).toMatchObject({ taskId: "while-down" });
    expect(await client.wait("while-down")).toMatchObject({ output: 3 });
  },
  LIMIT_MS,
);

it(
  "a batch has one result for each task although the server dies in the middle of it",
  async () => {
    const outputs: unknown[] = [];
    let restarting: Promise<void> | undefined;
    const tasks = Array.from({ length: TASKS }, (_, n) => ({ capability: "echo", input: n }));
    for await (const { value, error } of client.runAll(tasks, { inFlight: 50 })) {
      if (error !== undefined) throw error;
      outputs.push(value.output);
      if (outputs.length === 100) restarting = server.kill().then(() => server.restart());
    }
    await restarting;
    expect(outputs.sort((a, b) => Number(a) - Number(b))).toEqual(tasks.map(({ input }) => input));
  },
  LIMIT_MS,
);
