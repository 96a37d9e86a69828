import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../../src/app/config.ts";
import { runInit } from "../../../src/app/supervisor/init.ts";
import { prepareUsers } from "../../../src/app/supervisor/permissions.ts";
import { createPlanner } from "../../../src/app/supervisor/plan.ts";

const FILE = `version: 1
classes:
  - { name: default, capabilities: [echo], groups: [{ name: echo, slots: 1 }] }
  - { name: review, capabilities: [docs] }
`;

async function setup(text = FILE) {
  const data = mkdtempSync(join(tmpdir(), "murmur-users-"));
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const path = join(data, "permissions.yaml");
  writeFileSync(path, text);
  const { config } = await loadConfig({ flags: { data }, environment: {}, directory: data });
  return { data, path, config };
}

async function plan() {
  const { data, path, config } = await setup();
  const users = await prepareUsers(path, { data, prefix: "murmur" });
  const facts = { config, server: "nats://127.0.0.1:1", ownServer: true, environment: {}, users };
  return { data, planner: createPlanner(facts) };
}

test("each process gets the key and the inbox of its own user, and agents their class", async () => {
  const { data, planner } = await plan();
  const of = (user: string) => ({
    MURMUR_NKEY_FILE: join(data, "keys", `${user}.seed`),
    MURMUR_INBOX_PREFIX: `_INBOX.${user}`,
  });
  const place = { number: 1, metricsPort: 1 };
  expect(planner.api({ httpPort: 1, metricsPort: 1 }).environment).toMatchObject({
    ...of("api"),
    MURMUR_PERMISSIONS_FILE: join(data, "permissions.yaml"),
  });
  expect(planner.coordinator({ ...place, count: 1 }).environment).toMatchObject(of("coordinator-1"));
  expect(planner.agent({ ...place, role: "echo" }).environment).toMatchObject({
    ...of("agent-default"),
    MURMUR_AGENT_CLASS: "default",
  });
  expect(planner.agent({ ...place, role: "review" }).environment).toMatchObject(of("agent-review"));
  expect(planner.init()).toMatchObject({ environment: of("init") });
  expect(existsSync(join(data, "keys/api.seed"))).toBe(true);
  expect(readFileSync(join(data, "nats-accounts.conf"), "utf8")).toContain("# agent/review");
});

test("with permissions the api does not create the streams, because only the user of init may", async () => {
  const { planner } = await plan();
  expect(planner.api({ httpPort: 1, metricsPort: 1 }).args).not.toContain("--init");
  expect(planner.init().args).toContain("init");
});

test("a role without a class, and a coordinator that the file does not list, are errors that name the entry to add", async () => {
  const { planner } = await plan();
  expect(() => planner.agent({ role: "other", number: 1, metricsPort: 1 })).toThrow(
    /permissions.yaml has no class for the agents of other; add a group named other to the class/,
  );
  expect(() => planner.coordinator({ number: 2, count: 3, metricsPort: 1 })).toThrow(
    /lists no coordinator coordinator-2; add it to coordinators, or give --coordinators 1/,
  );
});

test("a file of another prefix is an error before anything starts", async () => {
  const { data, path } = await setup(`${FILE}prefix: other\n`);
  await expect(prepareUsers(path, { data, prefix: "murmur" })).rejects.toThrow(
    /is for the prefix other, and this swarm has murmur; give --prefix other/,
  );
  expect(existsSync(join(data, "keys"))).toBe(false);
});

test("a failed init is an error with the end of its output", async () => {
  const { planner } = await plan();
  const failing = { ...planner.init(), args: ["-e", "console.error('no streams'); process.exit(3)"] };
  await expect(runInit(failing, new AbortController().signal)).rejects.toThrow(
    "init did not create the streams (exit code 3): no streams",
  );
});
