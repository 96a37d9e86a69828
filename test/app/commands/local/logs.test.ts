import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld } from "../../support.ts";

function setup(logs: Record<string, string>) {
  const world = setupWorld();
  const folder = join(world.directory, ".murmur/logs");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(logs)) writeFileSync(join(folder, `${name}.log`), text);
  return world;
}

const line = (time: string, level: number, msg: string, more = {}) =>
  `${JSON.stringify({ level, time: Date.parse(`2026-11-30T05:00:${time}Z`), msg, ...more })}\n`;
const LOGS = {
  "echo-1": line("01", 30, "ready") + line("04", 40, "slow", { task: "t1" }),
  "echo-2": line("02", 30, "ready"),
  "api-1": `${line("03", 50, "failed")}    at serve\n`,
};

test("logs merges the roles by time, and shows a role, a level or a task", async () => {
  const world = setup(LOGS);
  const all = await world.call("logs");
  expect(all.exitCode).toBe(0);
  expect(all.stdout.split("\n").map((text) => text.trimEnd())).toEqual([
    "05:00:01.000 info  echo-1  ready",
    "05:00:02.000 info  echo-2  ready",
    "05:00:03.000 error api-1  failed",
    `${" ".repeat(19)}api-1      at serve`,
    "05:00:04.000 warn  echo-1  slow task=t1",
    "",
  ]);
  expect((await world.call("logs echo-2 api --level error")).stdout).toMatch(/^.*failed\n.*at serve\n$/);
  expect((await world.call("logs echo -n 1")).stdout).toMatch(/^.*slow.*\n$/);
  expect((await world.call("logs --task t1")).stdout).toMatch(/^.*slow.*\n$/);
  expect((await world.call("logs --since 2026-11-30T05:00:04Z")).stdout).toMatch(/^.*slow.*\n$/);
});

test("logs --json prints the raw lines and nothing else", async () => {
  const { stdout } = await setup(LOGS).call("logs echo-1 --json");
  expect(stdout).toBe(LOGS["echo-1"]);
});

test("an unknown role is told with the known ones, and a directory without logs with the next step", async () => {
  const unknown = await setup(LOGS).call("logs unknown --json");
  expect(unknown).toMatchObject({ exitCode: 1 });
  expect(unknown.json()).toMatchObject({
    error: { code: "not_found", message: "no log of unknown; known: api, api-1, echo, echo-1, echo-2" },
  });
  const none = await setupWorld().call("logs");
  expect(none).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("murmur up") });
});

test.each(["logs --since yesterday", "logs --since 5", "logs --level loud", "logs -n -1"])(
  "%s is a usage error",
  async (args) => {
    expect((await setup(LOGS).call(args)).exitCode).toBe(2);
  },
);
