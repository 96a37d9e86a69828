import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/app/config.ts";
import { identify } from "../../src/app/supervisor/identity.ts";
import { writeState } from "../../src/app/supervisor/state.ts";
import { refuseDeadSwarm, resolveTarget } from "../../src/app/target.ts";

function setup() {
  const directory = mkdtempSync(join(tmpdir(), "murmur-target-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "nats/context"), { recursive: true });
  writeFileSync(join(directory, "nats/context/prod.json"), '{"url":"nats://prod:4222"}');
  const resolve = async (
    flags: Record<string, unknown>,
    environment: Record<string, string> = {},
    options: { isTrusted?: boolean } = {},
  ) => {
    const { config, sources } = await loadConfig({
      flags: { data: join(directory, "data"), ...flags },
      environment,
      directory,
    });
    return resolveTarget(config, sources, { XDG_CONFIG_HOME: directory }, options);
  };
  return { directory, resolve };
}

function startLocalSwarm(directory: string, supervisor = identify(process.pid)!): void {
  mkdirSync(join(directory, "data"));
  const state = {
    version: 1 as const,
    program: "0.0.0",
    control: null,
    ready: true,
    prefix: "local",
    server: "nats://127.0.0.1:1",
    permissions: null,
    http: "",
    processes: [],
  };
  writeState(join(directory, "data"), { ...state, supervisor });
}

test("without settings, the target is the server of this machine", async () => {
  const { resolve } = setup();
  expect(await resolve({})).toMatchObject({ nats: { servers: "nats://127.0.0.1:4222" }, prefix: "murmur" });
});

test("the swarm that runs in the data directory is the target, with its prefix", async () => {
  const { resolve, directory } = setup();
  startLocalSwarm(directory);
  expect(await resolve({})).toMatchObject({ nats: { servers: "nats://127.0.0.1:1" }, prefix: "local" });
  expect(await resolve({ prefix: "other" })).toMatchObject({ prefix: "other" });
});

test("a swarm whose supervisor is gone is named as dead, unless the settings name another server", async () => {
  const { resolve, directory } = setup();
  startLocalSwarm(directory, { pid: process.pid, started: "long ago" });
  const target = await resolve({});
  expect(target).toMatchObject({ swarm: null, deadSwarm: { prefix: "local" } });
  expect(() => refuseDeadSwarm(target, "data")).toThrow(/data is dead: .*murmur up starts it again/);
  const other = await resolve({ server: "nats://a:1" });
  expect(() => refuseDeadSwarm(other, "data")).not.toThrow();
});

test("NATS_URL comes before the local swarm", async () => {
  const { resolve, directory } = setup();
  startLocalSwarm(directory);
  expect(await resolve({}, { NATS_URL: "nats://a:1" })).toMatchObject({
    nats: { servers: "nats://a:1" },
    swarm: null,
  });
});

test.each([
  [{ context: "prod" }, { NATS_URL: "nats://a:1" }, "nats://prod:4222"],
  [{ server: "nats://b:1" }, { NATS_CONTEXT: "prod" }, "nats://b:1"],
  [{}, { NATS_CONTEXT: "prod", NATS_URL: "nats://a:1" }, "nats://a:1"],
  [{}, { NATS_CONTEXT: "prod" }, "nats://prod:4222"],
])(
  "of flags %j and environment %j the stronger source counts, and a URL before a context",
  async (flags, environment, servers) => {
    const { resolve } = setup();
    expect((await resolve(flags, environment as Record<string, string>)).nats.servers).toBe(servers);
  },
);

test("users, TLS files and inboxes of the settings reach the target, below no other source", async () => {
  const { resolve } = setup();
  const environment = {
    NATS_URL: "tls://a:4222",
    NATS_USER: "anna",
    MURMUR_PASSWORD_FILE: "/secrets/password",
    NATS_CA: "/tls/ca.pem",
    MURMUR_TLS_CERT: "/tls/cert.pem",
    MURMUR_TLS_KEY: "/tls/key.pem",
    MURMUR_TLS_FIRST: "true",
    NATS_INBOX_PREFIX: "_INBOX.anna",
  };
  expect((await resolve({}, environment)).nats).toEqual({
    servers: "tls://a:4222",
    credentials: { user: "anna", passwordFile: "/secrets/password" },
    tls: { caFile: "/tls/ca.pem", certFile: "/tls/cert.pem", keyFile: "/tls/key.pem", handshakeFirst: true },
    inboxPrefix: "_INBOX.anna",
  });
  expect((await resolve({ creds: "/creds" }, environment)).nats.credentials).toEqual({ file: "/creds" });
  const withContext = { ...environment, NATS_URL: "", NATS_CONTEXT: "prod" };
  expect((await resolve({}, withContext)).nats).toMatchObject({
    servers: "nats://prod:4222",
    inboxPrefix: "_INBOX.anna",
  });
});

test.each([
  [
    "two users",
    { NATS_CREDS: "/creds", NATS_NKEY: "/nkey" },
    /creds .*NATS_CREDS.* and nkeyFile .*NATS_NKEY.* two users/,
  ],
  ["a user without a password", { NATS_USER: "anna" }, /user anna has no password: set MURMUR_PASSWORD_FILE/],
  ["a password without a user", { NATS_PASSWORD: "s3cret" }, /a password is given without a user/],
  ["two passwords", { NATS_USER: "anna", NATS_PASSWORD: "s3cret", MURMUR_PASSWORD_FILE: "/p" }, /both given/],
  ["half a certificate", { NATS_CERT: "/cert" }, /tlsCert is given without tlsKey/],
])("%s are refused, and no secret is repeated", async (_what, environment, message) => {
  const { resolve } = setup();
  const refused = resolve({}, environment as Record<string, string>);
  await expect(refused).rejects.toThrow(message);
  await expect(refused).rejects.not.toThrow(/s3cret/);
});

test("in a directory that is not trusted only a swarm of this user counts, and the state of a stranger blocks nothing", async () => {
  const { resolve, directory } = setup();
  const servers = async () => (await resolve({}, {}, { isTrusted: false })).nats.servers;
  startLocalSwarm(directory);
  const state = join(directory, "data/swarm.json");
  expect(await servers()).toBe("nats://127.0.0.1:1");
  chmodSync(state, 0o666); // another user could have written it
  expect(await servers()).toBe("nats://127.0.0.1:4222");
  writeFileSync(state, "{ broken", { mode: 0o600 });
  expect(await servers()).toBe("nats://127.0.0.1:4222");
  rmSync(state);
  execFileSync("mkfifo", [state]); // a reader would wait for ever
  expect(await servers()).toBe("nats://127.0.0.1:4222");
  rmSync(join(directory, "data"), { recursive: true });
  startLocalSwarm(directory, { pid: process.pid, started: "another boot:1" });
  expect(await resolve({}, {}, { isTrusted: false })).toMatchObject({ swarm: null, deadSwarm: null });
});
