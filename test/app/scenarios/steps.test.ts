// Recorded steps over real processes: kill -9 of the agent's process between two steps, and inside a step that runs once.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually, setupWorld } from "../support.ts";

const agent = (file: string) => `
import { appendFileSync } from "node:fs";
import { defineAgent } from "murmur-swarm";
const note = (line) => appendFileSync(${JSON.stringify(file)}, line + "\\n");
/** The test kills this process. */
const die = () => { note("pid " + process.pid); return new Promise(() => {}); };
export default defineAgent({
  name: "biller",
  capabilities: ["biller"],
  run: async (_task, ctx) => {
    const price = await ctx.step("price", ({ effectKey }) => { note("price " + effectKey); return 7; });
    if (ctx.attempt === 1) await die();
    const paid = await ctx.step("charge", { once: true }, ({ effectKey }) => { note("charge " + effectKey); return die(); });
    const receipt = await ctx.step("receipt", ({ effectKey }) => { note("receipt " + effectKey); return "sent"; });
    return { price, paid, receipt };
  },
});`;

test("kill -9 after a recorded step repeats no step, and inside a step that runs once leaves the task to a person", async () => {
  const world = setupWorld({}, undefined, { roles: ["biller"], isEveryday: true });
  const notes = join(world.directory, "notes");
  mkdirSync(join(world.directory, "agents/biller"), { recursive: true });
  writeFileSync(join(world.directory, "agents/biller/agent.ts"), agent(notes));
  const swarm = await world.host({ roles: ["biller"], withApi: true });
  const linesOf = (file: string) =>
    existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  const killed = new Set<string>();
  /** Kills the process that the agent's code names. */
  const killNext = async () => {
    const line = await eventually(() =>
      linesOf(notes).find((each) => each.startsWith("pid ") && !killed.has(each)),
    );
    killed.add(line);
    process.kill(Number(line.slice("pid ".length)), "SIGKILL");
  };

  expect((await world.call("submit biller --id t1 --retries 1 --json")).exitCode).toBe(0);
  await killNext(); // after the record of "price"
  await killNext(); // inside "charge"
  await expect
    .poll(async () => (await world.call("task show t1 --json")).json(), { timeout: 120_000, interval: 500 })
    .toMatchObject({ waiting: { reason: "human", steps: ["charge"] } });
  const { stdout: shown } = await world.call("task show t1");
  expect(shown).toMatch(/^waiting {5}for human: charge, since 20/m);
  expect(shown).toContain('(murmur task settle t1 "charge" --result JSON, or --not-done)');
  expect(shown).toMatch(/^steps {7}price {2}done in attempt 1, ran /m);
  expect(shown).toMatch(/^ {12}charge {2}began in attempt 2 at /m);

  const settle = (body: object) =>
    fetch(`${swarm.http}/v1/tasks/t1/settle`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  const both = await settle({ step: "charge", result: 1, notDone: true });
  expect([both.status, await both.json()]).toMatchObject([400, { error: { code: "invalid_input" } }]);
  const other = await settle({ step: "price", notDone: true });
  expect([other.status, await other.json()]).toMatchObject([409, { error: { code: "conflict" } }]);
  const told = await settle({ step: "charge", result: { receipt: 3 } });
  expect([told.status, await told.json()]).toMatchObject([200, { taskId: "t1", changed: true, waiting: [] }]);

  const result = (await world.call("task watch t1 --json")).json();
  expect(result).toMatchObject({
    result: { status: "completed", output: { price: 7, paid: { receipt: 3 }, receipt: "sent" }, attempt: 2 },
  });
  expect(linesOf(notes).filter((line) => !line.startsWith("pid "))).toEqual([
    "price t1/price",
    "charge t1/charge",
    "receipt t1/receipt",
  ]);
}, 240_000);
