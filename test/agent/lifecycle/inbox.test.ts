import { expect, test } from "vitest";
import { INBOX_LIMIT, Inbox } from "../../../src/agent/internal.ts";
import { silentLogger } from "../../../src/base/index.ts";
import { until } from "../support.ts";

function setup() {
  const handled: unknown[] = [];
  const gates: (() => void)[] = [];
  const inbox = new Inbox(({ value }) => {
    handled.push(value);
    return new Promise((resolve) => gates.push(resolve));
  }, silentLogger);
  const push = (value: unknown) => inbox.push({ topic: "news", value });
  return { inbox, push, handled, next: () => gates.shift()?.() };
}

test("an inbox handles broadcasts only after it is opened, one at a time and in order", async () => {
  const { inbox, push, handled, next } = setup();
  push(1);
  push(2);
  expect(handled).toEqual([]);
  inbox.open();
  await until(() => handled.length === 1);
  next();
  await until(() => handled.length === 2);
  expect(handled).toEqual([1, 2]);
});

test("a full inbox drops new broadcasts, and handles further ones once it is empty again", async () => {
  const { inbox, push, handled, next } = setup();
  for (let n = 0; n < INBOX_LIMIT + 5; n++) push(n);
  inbox.open();
  for (let n = 0; n < INBOX_LIMIT; n++) {
    await until(() => handled.length === n + 1);
    next();
  }
  await new Promise((resolve) => setImmediate(resolve));
  push("after");
  await until(() => handled.length === INBOX_LIMIT + 1);
  expect(handled.at(-1)).toBe("after");
});

test("a closed inbox handles no further broadcast", async () => {
  const { inbox, push, handled, next } = setup();
  inbox.open();
  push(1);
  push(2);
  inbox.close();
  next();
  push(3);
  await new Promise((resolve) => setImmediate(resolve));
  expect(handled).toEqual([1]);
});
