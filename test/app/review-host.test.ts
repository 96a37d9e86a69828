import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { SUPERVISED } from "../../src/app/supervisor/supervisor-link.ts";

const HOST = join(import.meta.dirname, "../../src/app/review-host.ts");

async function run(roles: string[], environment: Record<string, string>) {
  const child = fork(HOST, roles, {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: { ...process.env, ...environment },
  });
  const [told, [exitCode]] = await Promise.all([text(child.stderr!), once(child, "exit")]);
  return { exitCode, told: told.trim() };
}

test("the process of a review's agents needs a supervisor, and knows the agents of a review only", async () => {
  const settings = {
    [SUPERVISED]: "1",
    MURMUR_SERVER: "nats://127.0.0.1:1",
    MURMUR_PREFIX: "murmur",
    MURMUR_SILENCE_MS: "1000",
    MURMUR_DRAIN_GRACE_MS: "1000",
  };
  const [alone, unknown] = await Promise.all([run(["review-docs"], {}), run(["echo"], settings)]);
  expect(alone).toEqual({ exitCode: 1, told: "expected a supervisor; use `murmur review`" });
  expect(unknown.exitCode).toBe(1);
  expect(unknown.told).toMatch(/^expected agents of a review, got "echo"; known: review-architecture, /);
});
