import { expect, onTestFinished, test } from "vitest";
import { takePort, takePortNear } from "../../../src/app/http/port.ts";

async function setup(isChosen: boolean) {
  const answer = () => undefined;
  const where = { host: "127.0.0.1", what: "/metrics" };
  const first = await takePort(answer, { ...where, port: 0 });
  onTestFinished(() => first.close());
  const port = Number(new URL(first.url).port);
  return { first, second: takePortNear(answer, { ...where, port, isChosen }), port };
}

test("a second process whose port was not chosen takes a free one and tells it", async () => {
  const { first, second } = await setup(false);
  const listening = await second;
  onTestFinished(() => listening.close());
  expect(listening.url).not.toBe(first.url);
  expect(listening.isMoved).toBe(true);
});

test("a chosen port that is taken is a conflict that names it", async () => {
  const { second, port } = await setup(true);
  await expect(second).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringContaining(`127.0.0.1:${port}: the port is taken`),
  });
});
