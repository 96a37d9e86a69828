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
import { askForAdvice, createDoorCaller } from "../../src/work/index.ts";
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
    "no line of permissions.yaml of the api process (its setting permissionsFile) permits it to publisher/web; it is the right of: coordinator, api, engine, init",
  );
  expect(ran.stderr).not.toContain("connect as another one");
});

test("the api process tells a program without the file the line that permits it, and a command for another role names that role", async () => {
  const text =
    "version: 1\npublishers:\n  - { name: web, capabilities: [echo] }\noperators: [{ name: anna, access: admin }]\n";
  const guarded = await startGuarded(text);
  onTestFinished(() => guarded.stop());
  const init = await guarded.connect("init");
  await init.init({ classes: [] });
  await init.close();
  const path = join(guarded.keys, "permissions.yaml");
  writeFileSync(path, text);
  const worldOf = (user: string, more: Record<string, string> = {}) =>
    setupWorld({
      MURMUR_SERVER: guarded.server.url,
      MURMUR_NKEY_FILE: seedFile(guarded.keys, user),
      MURMUR_INBOX_PREFIX: `_INBOX.${user}`,
      ...more,
    });
  const api = worldOf("api", {
    MURMUR_PERMISSIONS_FILE: path,
    MURMUR_HTTP_PORT: "0",
    MURMUR_METRICS_PORT: "0",
  }).start("api");
  onTestFinished(async () => {
    const ended = new Promise((resolve) => api.once("exit", resolve));
    api.kill("SIGTERM");
    await ended;
  });
  const transport = await guarded.connect("web");
  onTestFinished(() => transport.close());
  const refused = { operation: "publish", subject: "murmur.task.pay.high.-.x1" };
  const line = `${path}:3: publishers[web].capabilities needs pay`;
  await vi.waitFor(
    async () => expect(await askForAdvice({ transport, user: "web" }, refused)).toBe(line),
    SOON,
  );
  const direct = await worldOf("web").call("submit pay --input 1");
  expect(direct.exitCode).toBe(1);
  expect(direct.stderr).toContain(`no line of ${path} permits it to publisher/web; it is the right of:`);

  const anna = worldOf("anna", { MURMUR_OPERATE_AS: "anna" });
  for (const [command, role] of [
    ["doctor", "api"],
    ["init", "init"],
    ["office recover", "coordinator/ID"],
  ]) {
    const ran = await anna.call(command!);
    expect(ran.exitCode, command).toBe(1);
    expect(ran.stderr, command).toContain(`needs the rights of the role ${role} on NATS`);
  }
  // The coordinator's user, and only that, may look at the control log and call the roll.
  const recover = await worldOf("coordinator-1").call("office recover");
  expect(recover.stderr).not.toContain("not permit");
});
