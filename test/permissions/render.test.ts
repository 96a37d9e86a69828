import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  makeKeys,
  parsePermissions,
  renderAccounts,
  renderServer,
  requirePublicKeys,
  usersOf,
} from "../../src/app/permissions/index.ts";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { findNatsServer } from "../support/nats-server.ts";
import { type GuardedServer, startGuarded } from "./support.ts";

const FILE = `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes: [{ name: default, capabilities: [echo] }]
limits: { storageBytes: 1000000000 }
`;

let guarded: GuardedServer;
beforeAll(async () => {
  guarded = await startGuarded(FILE);
});
afterAll(() => guarded.stop());

async function keysFor(text: string) {
  const folder = mkdtempSync(join(tmpdir(), "murmur-keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = await parsePermissions(text, "p.yaml");
  makeKeys(folder, usersOf(file));
  return { folder, file, keys: requirePublicKeys(folder, usersOf(file)) };
}

test("each user connects with its key, and a connection without a key is refused", async () => {
  const web = await guarded.connect("web");
  await web.close();
  const anonymous = connectNats({
    servers: guarded.server.url,
    name: "test",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
  });
  await expect(anonymous).rejects.toMatchObject({ code: "not_permitted" });
});

test("a coordinator hears which connections of its account ended, and an agent does not", async () => {
  const coordinator = await guarded.connect("coordinator-1");
  const heard: string[] = [];
  const ended = Promise.withResolvers<void>();
  coordinator.bus.subscribe("$SYS.ACCOUNT.*.DISCONNECT", (message) => {
    heard.push(message.subject);
    ended.resolve();
  });
  await coordinator.bus.flush();
  const agent = await guarded.connect("agent-default");
  const refused = Promise.withResolvers<string>();
  agent.onViolation(({ subject }) => refused.resolve(subject));
  agent.bus.subscribe("$SYS.ACCOUNT.*.DISCONNECT", () => heard.push("agent"));
  expect(await refused.promise).toBe("$SYS.ACCOUNT.*.DISCONNECT");
  await agent.close();
  await ended.promise;
  expect(heard).toEqual(["$SYS.ACCOUNT.MURMUR.DISCONNECT"]);
  await coordinator.close();
});

test("the server refuses an account that imports the advisories of another one", async () => {
  const { file, keys, folder } = await keysFor(FILE);
  const foreign = renderAccounts(file, keys).replace(
    'subject: "$SYS.ACCOUNT.MURMUR.DISCONNECT"',
    'subject: "$SYS.ACCOUNT.OTHER.DISCONNECT"',
  );
  writeFileSync(join(folder, "server.conf"), foreign);
  const check = () =>
    execFileSync(findNatsServer(), ["-t", "-c", join(folder, "server.conf")], { stdio: "pipe" });
  expect(check).toThrow(/stream import not authorized/);
});

test("the configuration has no seed, no allow_responses, and no user who may publish done", async () => {
  const { file, keys } = await keysFor(FILE);
  const text = renderAccounts(file, keys);
  expect(text).not.toMatch(/SU[A-Z2-7]{56}/);
  expect(text).not.toContain("allow_responses");
  for (const block of text.matchAll(/publish: \{([^}]*)\}/g)) expect(block[1]).not.toMatch(/murmur\.done/);
});

test("the same file gives the same bytes", async () => {
  const { file, keys } = await keysFor(FILE);
  expect(renderAccounts(file, keys)).toBe(renderAccounts(structuredClone(file), { ...keys }));
});

test("a whole server has TLS 1.3 for clients, verified routes, and fsync before each acknowledgement when it is strict", async () => {
  const { file, keys } = await keysFor(FILE);
  const text = renderServer(file, keys, {
    name: "n1",
    host: "0.0.0.0",
    port: 4222,
    storeDir: "/data",
    profile: "strict",
    tls: { cert: "/tls/tls.crt", key: "/tls/tls.key", ca: "/tls/ca.crt" },
    cluster: { name: "swarm", port: 6222, routes: ["nats://n2:6222"] },
  });
  expect(text).toMatch(/^tls \{[^}]*min_version: "1\.3"\n\}/m);
  expect(text).toMatch(/cluster \{[^}]*tls \{[^}]*verify: true/);
  expect(text).toContain("sync_interval: always");
  expect(text).toContain("max_file: 1000000000");
  expect(text).toContain("max_connections: 4096");
});
