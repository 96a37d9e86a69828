import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../../src/app/config.ts";
import { describeInstallation, noteInstallation, noteStart } from "../../../src/app/office/installation.ts";
import { VERSION } from "../../../src/app/version.ts";
import { listAudit, verifyAudit } from "../../../src/audit/index.ts";
import { silentLogger } from "../../../src/base/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";

const { config } = await loadConfig({ flags: {}, environment: {}, directory: "/", file: null });

async function setup() {
  const transport = connectMemory({ prefix: "murmur" });
  onTestFinished(() => transport.close());
  await transport.init();
  const list = async () =>
    (await listAudit(transport, { kind: "swarm-installed", limit: 10 })).map(({ facts }) => facts);
  const begin = async (permissions: string | null, version = VERSION) => {
    const installation = { ...describeInstallation(config, permissions), version };
    const service = noteStart({ transport, installation, log: silentLogger });
    await service.start();
    onTestFinished(() => service.stop());
    return service;
  };
  return { transport, list, begin };
}

test("an api process notes its first start, another version and another permissions file, and no further start", async () => {
  const { transport, list, begin } = await setup();
  await begin(null, "0.0.1");
  await expect.poll(list).toMatchObject([{ action: "api-start", version: "0.0.1", from: null }]);
  await begin("a");
  await expect
    .poll(list)
    .toMatchObject([
      {},
      { action: "api-start", version: VERSION, from: "0.0.1", permissions: "a", by: "api", isProven: false },
    ]);
  await (await begin("a")).stop(); // notes nothing: the next entry would otherwise be the fourth
  await begin("b");
  await expect.poll(list).toMatchObject([{}, {}, { permissions: "b", from: VERSION }]);
  expect(await verifyAudit(transport)).toMatchObject({ faultCount: 0 });
});

test("an entry of init counts as the version before, and its values change with the settings that decide the streams alone", async () => {
  const { transport, list, begin } = await setup();
  const facts = {
    action: "init",
    by: "ada",
    isProven: false,
    ...describeInstallation(config, null),
  } as const;
  expect(await noteInstallation(transport, facts)).toBe(true);
  await (await begin(null)).stop();
  await begin("a");
  await expect.poll(list).toMatchObject([{ action: "init", by: "ada" }, { permissions: "a" }]);
  const hashOf = (more: object) => describeInstallation({ ...config, ...more }, null).values;
  expect(hashOf({ httpPort: 1 })).toBe(facts.values);
  expect(hashOf({ resultDays: 3 })).not.toBe(facts.values);
});
