import { Hono } from "hono";
import { expect, onTestFinished, test } from "vitest";
import { listen, listenNear } from "../../../src/app/http/listen.ts";

async function setup(isChosen: boolean) {
  const app = new Hono();
  const first = await listen(app, { host: "127.0.0.1", port: 0, what: "/metrics" });
  onTestFinished(() => first.close());
  const moved: string[] = [];
  const port = Number(new URL(first.url).port);
  const second = listenNear(app, {
    host: "127.0.0.1",
    port,
    what: "/metrics",
    isChosen,
    onMoved: (url) => moved.push(url),
  });
  return { first, second, moved, port };
}

test("a second process whose port was not chosen takes a free one and tells it", async () => {
  const { first, second, moved } = await setup(false);
  const listening = await second;
  onTestFinished(() => listening.close());
  expect(listening.url).not.toBe(first.url);
  expect(moved).toEqual([listening.url]);
});

test("a chosen port that is taken is a conflict that names it", async () => {
  const { second, moved, port } = await setup(true);
  await expect(second).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringContaining(`127.0.0.1:${port}: the port is taken`),
  });
  expect(moved).toEqual([]);
});
