// The work of a group of agents, counted on a real server.
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { GroupWorkCounter } from "../../../src/app/office/group-work.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import type { OfficeClient } from "../../../src/coordinator/index.ts";
import {
  createSubjects,
  encodePlacement,
  HEADERS,
  PAUSED_UNTIL_MS,
  type Placement,
  SwarmError,
} from "../../../src/protocol/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { queueConsumer } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";

let server: NatsServer;
let swarms = 0;
beforeAll(async () => {
  server = await startNatsServer();
  return () => server.stop();
});

/** A swarm with the queues of `echo` and `sort`; an office that knows these pauses and vacant seats, or does not answer. */
async function setup(office: { pauses?: string[]; vacancies?: [string, number][] } | null) {
  const prefix = `w${++swarms}`;
  const transport = await connectNats({
    ...{ servers: server.url, name: "test", prefix, log: silentLogger, meter: createMeter() },
  });
  onTestFinished(() => transport.close());
  await transport.init();
  const subjects = createSubjects(prefix);
  const answer = <T>(reply: T) =>
    office === null
      ? Promise.reject(new SwarmError("unavailable", "no coordinator answers"))
      : Promise.resolve(reply);
  const counter = new GroupWorkCounter({
    transport,
    office: {
      readStale: () =>
        answer({
          pauses: (office?.pauses ?? []).map((capability) => ({ capability, sinceMs: 0, by: "ada" })),
        }),
      read: () =>
        answer({
          vacancies: (office?.vacancies ?? []).map(([capability, seats]) => ({ capability, seats })),
        }),
    } as unknown as OfficeClient,
    groups: () => [
      { name: "echoes", capabilities: ["echo"] },
      { name: "all", capabilities: ["echo", "sort", "rare"] },
    ],
  });
  const log = transport.log("tasks");
  const at = (capability: string, taskId: string) => ({
    ...({ capability, priority: "normal", scope: "-", taskId } as const),
  });
  const queue = (capability: string) =>
    transport.queue("tasks").consumer({
      name: queueConsumer(capability, "normal"),
      filter: `${prefix}.task.${capability}.normal.>`,
    });
  const store = (capability: string, taskId: string) =>
    log.append(subjects.task(at(capability, taskId)), new Uint8Array());
  const place = (capability: string, taskId: string) => {
    const placement: Placement = {
      ...{ host: "h1", agent: "a1", score: 0, reasons: [], capability, priority: "normal" },
      placedAt: new Date().toISOString(),
    };
    const subject = subjects.placed({
      ...{ class: "default", host: "h1", agent: "a1", scope: "-", taskId },
    });
    return log.append(subject, new Uint8Array(), {
      headers: { [HEADERS.placement]: encodePlacement(placement) },
    });
  };
  return { transport, counter, store, place, queue };
}

test("waiting, running and placed tasks of a group count, each once, and so do the seats without an agent", async () => {
  const { counter, store, place, queue } = await setup({ vacancies: [["sort", 3]] });
  const echo = await queue("echo");
  await queue("sort");
  for (const id of ["t1", "t2", "t3"]) await store("echo", id);
  await new Promise<void>((resolve) =>
    echo.pull({ max: 1, expiresMs: 5_000 }, { onDelivery: () => undefined, onEnd: () => resolve() }),
  );
  await store("sort", "t4");
  await store("rare", "t5"); // no agent has offered it yet: it has no queue
  await place("echo", "t6");
  await place("echo", "t3"); // moves to its host: the queue has a message of it, too
  expect(await counter.count("echoes")).toEqual({
    ...{ work: 4, queued: 3, placed: 1, seats: 0, paused: [], guessed: 0, isOfficeKnown: true },
  });
  expect(await counter.count("all")).toMatchObject({ work: 9, queued: 5, placed: 1, seats: 3 });
  expect(await counter.count("nosuch")).toBeNull();
});

test("a paused capability counts 0, with its placed tasks and its seats", async () => {
  const { counter, store, place, queue } = await setup({ pauses: ["echo"], vacancies: [["echo", 2]] });
  await queue("echo");
  await store("echo", "t1");
  await place("echo", "t2");
  await store("sort", "t3");
  expect(await counter.count("all")).toMatchObject({ work: 1, queued: 1, seats: 0, paused: ["echo"] });
});

test("without an office the queues still count, and the answer says that seats are missing", async () => {
  const { transport, counter, store, queue } = await setup(null);
  await queue("echo");
  await store("echo", "t1");
  expect(await counter.count("echoes")).toMatchObject({ work: 1, isOfficeKnown: false });
  await transport.queue("tasks").pauseConsumer(queueConsumer("echo", "normal"), PAUSED_UNTIL_MS);
  expect(await counter.count("echoes")).toMatchObject({ work: 0, paused: ["echo"] });
});

test("more placed tasks than one count looks up are counted as the group's, and named as guessed", async () => {
  const { counter, place } = await setup({});
  await Promise.all(Array.from({ length: 300 }, (_, index) => place("sort", `t${index}`)));
  expect(await counter.count("echoes")).toMatchObject({ work: 44, placed: 44, guessed: 44 });
  expect(await counter.count("echoes")).toMatchObject({ work: 0, guessed: 0 });
});
