import { expect, test } from "vitest";
import { defineAgent } from "../../../src/agent/index.ts";
import { assert } from "../../../src/base/index.ts";
import { encode } from "../../../src/protocol/index.ts";
import { defineEcho, perform, startHost, subjects, until } from "../support.ts";

test("the handlers of every subscribed agent get broadcasts in order, one at a time", async () => {
  const received: unknown[] = [];
  let inside = 0;
  const listener = defineAgent({
    name: "ear",
    capabilities: ["ear"],
    run: () => null,
    on: {
      "news.local": async (value, agent) => {
        expect(++inside).toBe(1);
        await Promise.resolve();
        received.push([agent.agentId.split("-")[0], value]);
        inside--;
      },
    },
  });
  const sender = defineEcho((input, ctx) => ctx.broadcast("news.local", input));
  const { host, stop } = await startHost([listener, sender]);
  for (const n of [1, 2, 3]) await perform(host, { n });
  await until(() => received.length === 3);
  expect(received).toEqual([1, 2, 3].map((n) => ["ear", { n }]));
  await stop();
});

test("after a handler throws, the next broadcast is handled; a failed assertion in a handler restarts the agent", async () => {
  const received: unknown[] = [];
  const listener = defineAgent({
    name: "ear",
    capabilities: ["ear"],
    run: () => null,
    on: {
      news: (value) => {
        if (value === "bad") throw new Error("the value is bad");
        assert(value !== "worse", "broken");
        received.push(value);
      },
    },
  });
  const { host, transport, stop } = await startHost(listener);
  const since = host.status()[0]?.since;
  const publish = (value: unknown) => transport.bus.publish(subjects.topic("news"), encode({ value }));
  for (const text of ["bad", "good"]) {
    transport.bus.publish(subjects.topic("news"), encode(text, "msgpack"));
  }
  await until(() => received.length === 1);
  expect(host.status()[0]).toMatchObject({ state: "idle", since });
  transport.bus.publish(subjects.topic("news"), encode("worse", "msgpack"));
  await until(() => host.status()[0]?.state === "starting");
  await until(() => host.status()[0]?.state === "idle");
  publish("after");
  await until(() => received.length === 2);
  await stop();
});
