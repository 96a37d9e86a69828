import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { reloadServers } from "../../src/app/permissions/index.ts";
import { startGuarded } from "./support.ts";

const file = (publishers: string) => `version: 1\npublishers: [${publishers}]\n`;
const WEB = "{ name: web, capabilities: [echo] }";
const BATCH = "{ name: batch, capabilities: [echo] }";

/** The bound for the end of a revoked user's connection after the reload, in ms. */
const REVOKED_WITHIN_MS = 5_000;

test("a reload adds a user and cuts a revoked one, and leaves the others connected", async () => {
  const guarded = await startGuarded(file(BATCH));
  onTestFinished(() => guarded.stop());
  const system = await guarded.connect("system");
  onTestFinished(() => system.close());
  const batch = await guarded.connect("batch");
  onTestFinished(() => batch.close());
  const api = await guarded.connect("api");
  onTestFinished(() => api.close());
  const states: string[] = [];
  api.onState((state) => states.push(state));
  const cut = new Promise<void>((resolve) => {
    batch.onState((state) => (state === "connected" ? undefined : resolve()));
  });

  await guarded.rewrite(file(WEB));
  const startedMs = performance.now();
  const [reloaded] = await reloadServers(system.bus);
  expect(reloaded).toMatchObject({ problem: null, isChanged: true });
  await cut;
  expect(performance.now() - startedMs).toBeLessThan(REVOKED_WITHIN_MS);
  await (await guarded.connect("web")).close();
  expect(states).toEqual([]);
  expect(await reloadServers(system.bus)).toMatchObject([{ problem: null, isChanged: false }]);
});

test("a server that cannot read its new file keeps the earlier one and tells why", async () => {
  const guarded = await startGuarded(file(WEB));
  onTestFinished(() => guarded.stop());
  const system = await guarded.connect("system");
  onTestFinished(() => system.close());
  writeFileSync(join(guarded.keys, "accounts.conf"), "accounts { broken");
  const [reloaded] = await reloadServers(system.bus);
  expect(reloaded).toMatchObject({ problem: expect.any(String), isChanged: false });
  await (await guarded.connect("web")).close();
});

test("only the user system may ask the servers for a reload", async () => {
  const guarded = await startGuarded(file(WEB));
  onTestFinished(() => guarded.stop());
  const api = await guarded.connect("api");
  onTestFinished(() => api.close());
  await expect(reloadServers(api.bus)).rejects.toMatchObject({ code: /not_permitted|unavailable/ });
});
