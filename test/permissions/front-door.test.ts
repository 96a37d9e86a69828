// The api process and its permissions file: a change of the file counts while the process runs.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { noteInstallation } from "../../src/app/office/installation.ts";
import { seedFile } from "../../src/app/permissions/index.ts";
import { VERSION } from "../../src/app/version.ts";
import { listAudit } from "../../src/audit/index.ts";
import { toSwarmError } from "../../src/protocol/index.ts";
import { createDoorCaller } from "../../src/work/index.ts";
import { setupWorld } from "../app/support.ts";
import { startGuarded } from "./support.ts";

const SOON = { timeout: 60_000, interval: 50 };
const ANNA = "{ name: anna, access: read }";
const BEN = "{ name: ben, access: read }";
const file = (...operators: string[]) =>
  `version: 1\nclasses: [{ name: default, capabilities: [echo] }]\noperators: [${operators.join(", ")}]\n`;

test("an api process that runs serves users that are added to its file, and refuses removed users", async () => {
  const guarded = await startGuarded(file(ANNA, BEN));
  onTestFinished(() => guarded.stop());
  const connect = async (user: string) => {
    const transport = await guarded.connect(user);
    onTestFinished(() => transport.close());
    return transport;
  };
  const path = join(guarded.keys, "permissions.yaml");
  writeFileSync(path, file(ANNA));
  const worldOf = (user: string, more: Record<string, string> = {}) =>
    setupWorld({
      MURMUR_SERVER: guarded.server.url,
      MURMUR_NKEY_FILE: seedFile(guarded.keys, user),
      MURMUR_INBOX_PREFIX: `_INBOX.${user}`,
      ...more,
    });
  const init = worldOf("init");
  const made = await init.call(`init --permissions ${path}`);
  expect(made.exitCode, made.stderr).toBe(0);
  await init.call(`init --permissions ${path}`); // creates nothing, so it is no install
  await init.call(`init --apply --permissions ${path}`);
  const permissions = createHash("sha256").update(file(ANNA)).digest("hex");
  const old = { version: "0.0.1", values: "", permissions };
  await noteInstallation(await connect("init"), {
    ...{ action: "init", by: "old", isProven: false },
    ...old,
  });
  const world = worldOf("api", {
    MURMUR_PERMISSIONS_FILE: path,
    MURMUR_HTTP_PORT: "0",
    MURMUR_METRICS_PORT: "0",
  });
  const api = world.start("api");
  onTestFinished(async () => {
    const ended = new Promise((resolve) => api.once("exit", resolve));
    api.kill("SIGTERM");
    await ended;
  });
  const callAs = async (user: string) => {
    const caller = createDoorCaller({ transport: await connect(user), user });
    return () =>
      caller.call("dead-list", {}, { timeoutMs: 5_000 }).then(
        () => "done",
        (error: unknown) => toSwarmError(error).code,
      );
  };
  const [anna, ben] = [await callAs("anna"), await callAs("ben")];
  await vi.waitFor(async () => expect(await anna()).toBe("done"), SOON);
  expect(await ben()).toBe("not_permitted");
  const values = expect.stringMatching(/^[0-9a-f]{64}$/);
  await vi.waitFor(async () => {
    const { entries } = (await world.call("audit ls --kind swarm-installed --json")).json() as {
      entries: { facts: object }[];
    };
    expect(entries.map((entry) => entry.facts)).toMatchObject([
      { action: "init", version: VERSION, values, permissions, changed: 0, created: expect.any(Number) },
      { action: "init-apply", version: VERSION, values, permissions, changed: 0, created: 0 },
      old,
      { action: "api-start", by: "api", from: "0.0.1", version: VERSION, values, permissions },
    ]);
  }, SOON);

  writeFileSync(path, file(BEN));
  await vi.waitFor(async () => expect(await ben()).toBe("done"), SOON);
  expect(await anna()).toBe("not_permitted");
  expect(api.exitCode).toBeNull();
  const reader = await connect("api");
  await vi.waitFor(async () => {
    const entries = await listAudit(reader, { kind: "permissions-reloaded", limit: 10 });
    expect(entries.map((entry) => entry.facts)).toMatchObject([
      { by: "api", isProven: false, outcome: "done", added: 1, removed: 1 },
    ]);
  }, SOON);
});

test("a command that NATS does not permit tells that no line of the permissions would permit it, and the roles that have the right", async () => {
  const guarded = await startGuarded("version: 1\npublishers: [{ name: web, capabilities: [echo] }]\n");
  onTestFinished(() => guarded.stop());
  const init = await guarded.connect("init");
  await init.init({ classes: [] });
  await init.close();
  const world = setupWorld({
    MURMUR_SERVER: guarded.server.url,
    MURMUR_NKEY_FILE: seedFile(guarded.keys, "web"),
    MURMUR_INBOX_PREFIX: "_INBOX.web",
  });
  const ran = await world.call("submit pay --input 1");
  expect(ran.exitCode, ran.stderr).toBe(1);
  expect(ran.stderr).toContain("NATS does not permit the user");
  expect(ran.stderr).toContain(
    "no line of permissions.yaml permits it to publisher/web; it is the right of: coordinator, api, init",
  );
  expect(ran.stderr).not.toContain("connect as another one");
});
