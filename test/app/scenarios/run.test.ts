// `murmur run` on a real swarm: the shipped planner plans over the living agents, and the engine runs the plan.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld } from "../support.ts";

const objective = (text: string) => text.replaceAll(" ", "%");

test("murmur run shows a plan, tells a part that no agent can do, and runs the plan", async () => {
  const world = setupWorld();
  mkdirSync(join(world.directory, "docs"));
  writeFileSync(join(world.directory, "docs/a.md"), "one two\n");
  await world.up("--agents planner,files --engines 1");
  const shown = await world.call(`run ${objective("list directory docs; then fly to the moon")} --dry-run`);
  expect(shown.exitCode, shown.stderr).toBe(0);
  expect(shown.stdout).toContain("call: files-list\n");
  expect(shown.stdout).toContain("✗ fly to the moon: no living agent fits\n");
  const missing = await world.call(
    `run ${objective("list directory docs; then fly to the moon")} --yes --json`,
  );
  expect(missing.exitCode).toBe(1);
  expect(missing.json()).toMatchObject({ run: null, reason: "missing" });
  const ran = await world.call(`run ${objective("list directory docs")} --yes --wait --json`);
  expect(ran.json(), ran.stderr).toMatchObject({
    run: { status: "completed", output: { files: ["docs/a.md"], left: 0 } },
  });
}, 120_000);
