// Tasks that kill their process: by ending it, by blocking its event loop, by filling its memory.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld } from "../support.ts";

/** Each in a role and a process of its own, so that the three run side by side. The event loop stands still without using a core. */
const POISONS = {
  exits: "process.exit(7)",
  blocks: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
  allocates: "const hoard = []; for (;;) hoard.push(new Array(1e6).fill(0.5));",
};

function writeAgents(directory: string): void {
  for (const [name, deed] of Object.entries(POISONS)) {
    mkdirSync(join(directory, "agents", name), { recursive: true });
    writeFileSync(
      join(directory, "agents", name, "agent.ts"),
      `import { defineAgent } from "murmur-swarm";
       export default defineAgent({ name: "${name}", capabilities: ["${name}"], run() { ${deed} } });`,
    );
  }
}

test("a task that kills its process ends as a dead letter, and its neighbours continue", async () => {
  // A short silence and a small heap end the blocked loop and the full memory soon. The silence is long enough for a healthy
  // neighbour on a busy machine.
  const roles = ["echo", ...Object.keys(POISONS)];
  const world = setupWorld({ MURMUR_SILENCE_MS: "6000", MURMUR_HEAP_MB: "96" }, undefined, { roles });
  writeAgents(world.directory);
  await world.host({ roles, withApi: true });
  const poisoned = Promise.all(
    Object.keys(POISONS).map(async (capability) => {
      const ran = await world.call(`submit ${capability} --retries 0 --wait --json --timeout 2m`);
      return { capability, exitCode: ran.exitCode, ...ran.json() };
    }),
  );
  for (let neighbour = 0; neighbour < 3; neighbour++) {
    expect((await world.call("submit echo --input 1 --wait --json")).json()).toMatchObject({
      status: "completed",
    });
  }
  for (const result of await poisoned) {
    expect(result).toMatchObject({ exitCode: 1, status: "failed", error: { code: "internal" } });
  }
  const { dead } = (await world.call("dead ls --json")).json() as { dead: { capability: string }[] };
  expect(dead.map(({ capability }) => capability).sort()).toEqual(Object.keys(POISONS).sort());
  const records = new Map(world.state().processes.map((record) => [record.name, record]));
  expect(records.get("echo-1")).toMatchObject({ restarts: 0, lastExit: null });
  for (const name of Object.keys(POISONS))
    expect(records.get(`${name}-1`)?.restarts, name).toBeGreaterThan(0);
  const { checks } = (await world.call("doctor --json")).json() as { checks: { verdict: string }[] };
  expect(checks.filter(({ verdict }) => verdict === "failed")).toEqual([]);
}, 240_000);
