import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import {
  makeApiToken,
  makeKeys,
  renderSecrets,
  requirePublicKeys,
} from "../../../src/app/permissions/index.ts";

function setup() {
  const folder = mkdtempSync(join(tmpdir(), "murmur-keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, seedOf: (user: string) => readFileSync(join(folder, `${user}.seed`), "utf8") };
}

test("a missing user gets a new seed for its owner alone, and existing seeds are kept", () => {
  const { folder, seedOf } = setup();
  expect(makeKeys(folder, ["web"])).toEqual({ created: ["web"], kept: [], unknown: [] });
  const before = seedOf("web");
  expect(before).toMatch(/^SU[A-Z2-7]{56}\n$/);
  expect(statSync(join(folder, "web.seed")).mode & 0o777).toBe(0o600);
  expect(makeKeys(folder, ["batch", "web"])).toEqual({ created: ["batch"], kept: ["web"], unknown: [] });
  expect(seedOf("web")).toBe(before);
});

test("the public keys name all users and contain no seed", () => {
  const { folder, seedOf } = setup();
  makeKeys(folder, ["web", "batch"]);
  const keys = requirePublicKeys(folder, ["web", "batch"]);
  expect(Object.values(keys).every((key) => /^U[A-Z2-7]{55}$/.test(key))).toBe(true);
  const text = readFileSync(join(folder, "public-keys.json"), "utf8");
  expect([seedOf("web"), seedOf("batch")].filter((seed) => text.includes(seed.trim()))).toEqual([]);
});

test("a user that the permissions no longer name is told, and its seed stays", () => {
  const { folder, seedOf } = setup();
  makeKeys(folder, ["web", "batch"]);
  expect(makeKeys(folder, ["web"])).toEqual({ created: [], kept: ["web"], unknown: ["batch"] });
  expect(seedOf("batch")).toMatch(/^SU/);
  expect(Object.keys(requirePublicKeys(folder, ["web"]))).toEqual(["web"]);
});

test("a file that is no seed is an error without its contents, and is not replaced", () => {
  const { folder, seedOf } = setup();
  writeFileSync(join(folder, "web.seed"), "SUAsecret-but-broken");
  expect(() => makeKeys(folder, ["web"])).toThrow(
    /web.seed holds no seed of an NKEY user; put the right seed/,
  );
  expect(() => makeKeys(folder, ["web"])).not.toThrow(/broken/);
  expect(seedOf("web")).toBe("SUAsecret-but-broken");
});

test("a user without a key is an error that names the command which makes it", () => {
  const { folder } = setup();
  makeKeys(folder, ["web"]);
  expect(() => requirePublicKeys(folder, ["web", "anna"])).toThrow(
    `has no key of anna; run murmur permissions secrets --keys ${folder}`,
  );
});

test("the Secrets have the names and keys that the chart expects", () => {
  const text = renderSecrets(
    new Map([["agent-default", "SUA"]]),
    { accounts: "accounts {}\n", apiToken: "t" },
    {
      prefix: "murmur",
      namespace: "swarm",
    },
  );
  const [agent, servers, api] = text
    .split("---\n")
    .filter((part) => part !== "")
    .map((part) => parse(part) as { metadata: unknown; data: Record<string, string> });
  expect(agent).toMatchObject({ metadata: { name: "murmur-agent-default", namespace: "swarm" } });
  expect(Buffer.from(agent!.data.seed!, "base64").toString()).toBe("SUA\n");
  expect(servers).toMatchObject({ metadata: { name: "murmur-nats" } });
  expect(Buffer.from(servers!.data["permissions.conf"]!, "base64").toString()).toBe("accounts {}\n");
  expect(api).toMatchObject({ metadata: { name: "murmur-api-token" } });
  expect(Buffer.from(api!.data.token!, "base64").toString()).toBe("t");
});

test("a user whose name is no part of a Secret's name, or that is called nats, is an error", () => {
  const names = { prefix: "murmur" };
  const parts = { accounts: "", apiToken: "t" };
  expect(() => renderSecrets(new Map([["Anna_1", "SU"]]), parts, names)).toThrow(
    /cannot be the name of a Secret/,
  );
  expect(() => renderSecrets(new Map([["nats", "SU"]]), parts, names)).toThrow(
    /two Secrets would be named murmur-nats/,
  );
});

test("the token of the API is made once, and only its owner can read it", () => {
  const { folder } = setup();
  makeKeys(folder, ["web"]);
  const token = makeApiToken(folder);
  expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
  expect(makeApiToken(folder)).toBe(token);
  expect(statSync(join(folder, "api.token")).mode & 0o777).toBe(0o600);
});
