// A coordinator that stood still, as on a machine that slept. Killed leaders and agents are in coordinators.test.ts.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createHost, defineAgent } from "../../../src/agent/index.ts";
import { createMeter, silentLogger, utf8Text } from "../../../src/base/index.ts";
import { SILENCE_MS } from "../../../src/coordinator/registry/sightings.ts";
import { SOON, setupOffice } from "../../coordinator/support.ts";
import { createCoordinator } from "../../support/office/process.ts";

/** A coordinator process, and two agents in this process. */
async function setup() {
  const { server, connect, client, transport } = await setupOffice({ nats: true });
  const directory = mkdtempSync(join(tmpdir(), "murmur-placement-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const options = { id: "c1", members: ["c1"], server: server!.url, logFile: join(directory, "c1.log") };
  const coordinator = createCoordinator(options);
  onTestFinished(() => coordinator.kill());
  coordinator.start();
  const definition = defineAgent({ name: "echo", capabilities: ["echo"], run: () => null });
  const host = createHost({
    transport: await connect(),
    meter: createMeter(),
    log: silentLogger,
    hostId: "h1",
    role: "echo",
    version: "1.0.0",
    roles: [{ definition, count: 2 }],
  });
  await host.service.start();
  onTestFinished(() => host.service.stop());
  const countAgents = async () =>
    ((await client.readNow("agents", { after: "" })) as { agents: unknown[] } | null)?.agents.length;
  return { coordinator, transport, countAgents };
}

test("a coordinator that stood still does not report agents missing when it continues", {
  timeout: 90_000,
}, async () => {
  const { coordinator, transport, countAgents } = await setup();
  await expect.poll(countAgents, SOON).toBe(2);
  coordinator.pause();
  // The silence that means missing, and a second; there is nothing to wait for but time.
  await new Promise((resolve) => setTimeout(resolve, SILENCE_MS + 1_000));
  coordinator.resume();
  await expect.poll(countAgents, SOON).toBe(2);
  let leaves = 0;
  for await (const stored of transport.log("office").read()) {
    if (utf8Text(stored.data).includes("members-leave")) leaves++;
  }
  expect(leaves).toBe(0);
});
