// The definition of a run is in its log where it is data: a changed file changes no run. And `keepMs` says how long the log is kept.
import { afterEach, expect, it } from "vitest";
import type { Definitions } from "../../../src/engine/index.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { loadDefinition } from "../../../src/workflow/index.ts";
import { until } from "../../work/support.ts";
import { definitionsOf, EngineSwarm } from "../support.ts";

let swarm: EngineSwarm;
afterEach(() => swarm.stop());

const textOf = (call: string, keepMs?: number) => `workflow: waits
version: 1
${keepMs === undefined ? "" : `keepMs: ${keepMs}\n`}signals: { go: { type: number } }
steps:
  - { signal: wait, of: go }
  - { step: last, call: ${call}, with: "\${steps.wait}" }
output: \${steps.last}`;

const load = async (call: string, keepMs?: number): Promise<Definitions> =>
  definitionsOf((await loadDefinition(textOf(call, keepMs), "waits.yaml")).definition);

it("a run goes on with the definition that it started with, although the file changed under the same version", async () => {
  swarm = new EngineSwarm(new MemoryServer());
  const client = await swarm.client();
  await swarm.agents({ before: () => "before", after: () => "after" });
  const first = await swarm.engine(await load("before"));
  await client.start({ workflow: "waits", input: null, id: "old" });
  await until(async () => ((await client.fold("old").catch(() => null)) === null ? undefined : true));
  await first.stop();
  await swarm.engine(await load("after"));
  await client.send("old", { type: "signal", name: "go", value: 1 });
  expect(await client.result("old")).toMatchObject({ status: "completed", output: "before" });
  await client.start({ workflow: "waits", input: null, id: "new" });
  await client.send("new", { type: "signal", name: "go", value: 1 });
  expect(await client.result("new")).toMatchObject({ status: "completed", output: "after" });
  // The signal is checked by the schema of the definition in the log, too.
  await client.start({ workflow: "waits", input: null, id: "checked" });
  await until(async () => ((await client.fold("checked").catch(() => null)) === null ? undefined : true));
  await expect(client.send("checked", { type: "signal", name: "go", value: "x" })).rejects.toMatchObject({
    code: "invalid_input",
  });
});

it("the log of an ended run is kept for the time of its definition", async () => {
  swarm = new EngineSwarm(new MemoryServer());
  const client = await swarm.client();
  await swarm.agents({ before: () => "before" });
  await swarm.engine(await load("before", 120_000));
  const go = { name: "go", value: 1 };
  await client.run({ workflow: "waits", input: null, id: "short", signals: [go] });
  const transport = await swarm.swarm.connect();
  const subject = createSubjects(swarm.prefix).workflow("short");
  const last = await until(async () => {
    const found = await transport.log("workflows").last(subject);
    return found?.header("Nats-TTL") === undefined ? undefined : found;
  });
  expect(last.header("Nats-TTL")).toMatch(/^120s?$/);
});
