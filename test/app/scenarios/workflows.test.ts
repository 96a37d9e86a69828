// The order of examples/order-workflow, end to end: `murmur up` in its folder, and the commands of workflows.
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld, USES_PERMISSIONS } from "../support.ts";

const example = join(import.meta.dirname, "../../../examples/order-workflow");
/** The agents of the shop as one class; NATS refuses every process all that its user may not do. */
const PERMISSIONS = `version: 1
coordinators: [coordinator-1]
classes:
  - name: default
    capabilities: [stock-reserve, stock-release, risk-score, payment-charge, payment-refund, label-print, parcel-ship, echo]
    groups: [{ name: shop, slots: 4 }, { name: echo, slots: 4 }]
`;
const order = (customer: string, items: string[]) =>
  JSON.stringify({ id: "81", items, total: 120, customer }).replaceAll(" ", "%");

test("murmur up runs the order saga: it ships, waits for a person, or is undone, and its engine may be killed", async () => {
  const world = setupWorld(USES_PERMISSIONS ? { MURMUR_PERMISSIONS_FILE: "permissions.yaml" } : {});
  cpSync(example, world.directory, { recursive: true });
  writeFileSync(join(world.directory, "permissions.yaml"), PERMISSIONS);
  await world.up("--agents echo --coordinators 0");
  await world.call(`workflow start order --id early --input ${order("ada", ["cup"])}`);
  await expect
    .poll(async () => (await world.call("workflow show early")).stdout, { timeout: 60_000, interval: 200 })
    .toContain("no agent of stock-reserve runs now");
  const swarm = await world.up("--agents shop --coordinators 0");
  const engine = swarm.processes.find(({ role }) => role === "engine");
  expect(engine).toMatchObject({ name: "engine-1" });

  const shipped = await world.call(
    `workflow start order --wait --json --input ${order("ada", ["cup", "pot"])}`,
  );
  expect(shipped.json(), shipped.stderr).toMatchObject({ status: "completed", output: { labels: 2 } });
  const undone = await world.call(
    `workflow start order --id lost --wait --json --input ${order("ada", ["moon"])}`,
  );
  expect(undone.exitCode).toBe(1);
  expect(undone.json()).toMatchObject({ error: { message: "no parcel service goes to the moon" } });
  const lost = (await world.call("workflow show lost --json")).json();
  expect(lost).toMatchObject({ state: "compensated" });
  const undo = (lost.steps as { path: string; state: string }[]).filter(({ state }) => state === "undone");
  expect(undo.map(({ path }) => path)).toEqual(["reserve", "charge"]);

  const started = await world.call(
    `workflow start order --id order-81 --json --input ${order("eve", ["cup"])}`,
  );
  expect(started.json()).toMatchObject({ id: "order-81", version: 3, duplicate: false });
  process.kill(engine!.pid, "SIGKILL"); // the supervisor starts it anew
  await expect
    .poll(async () => (await world.call("workflow show order-81")).stdout, { timeout: 60_000, interval: 200 })
    .toContain("waits for human: check");
  const shown = await world.call("workflow show order-81");
  expect(shown.stdout).toMatch(/^order-81 {2}order v3 {2}running/);
  expect(shown.stdout).toContain("→  murmur workflow approve order-81 check");
  expect(shown.stdout).toMatch(/^├ ✔ reserve .* undo: stock-release$/m);
  const refused = await world.call("workflow approve order-81 check --as eve");
  expect(refused.stderr).toContain("expects one of ops, got eve");
  expect((await world.call("workflow ls --waiting human --json")).json()).toMatchObject({
    runs: [{ id: "order-81" }],
  });
  expect((await world.call("workflow approve order-81 check --as ops")).exitCode).toBe(0);
  const again = `workflow start order --id order-81 --wait --json --input ${order("eve", ["cup"])}`;
  expect((await world.call(again)).json()).toMatchObject({ status: "completed", output: { labels: 1 } });
  const verified = await world.call("workflow verify order-81");
  expect(verified.stdout).toMatch(/entries, the chain holds/);
}, 180_000);
