// deploy/: the compose file by its rules, certs.sh, and the whole swarm of the file as plain processes on real servers.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { readPermissions, usersOf } from "../../src/app/permissions/index.ts";
import { scaled } from "../support/scale.ts";
import { compose, DEPLOY, DeployedSwarm } from "./swarm.ts";

const services = Object.entries(compose.services);

test("only the loopback address publishes ports, and only of services that are also in the published network", () => {
  const publishing = services.filter(([, { ports = [] }]) => ports.length > 0);
  expect(publishing.map(([name]) => name)).toEqual(["api-1", "api-2", "prometheus", "grafana"]);
  for (const [, { ports = [], networks }] of publishing) {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(networks).toContain("published");
  }
  expect(compose.networks.swarm).toEqual({ internal: true });
});

test.each(services)("%s has a read-only root, no capabilities and no new privileges", (name, service) => {
  expect(service).toMatchObject({
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
  });
  if (name === "volumes") expect(service).toMatchObject({ cap_add: ["CHOWN"], network_mode: "none" });
  else expect(service).not.toHaveProperty("cap_add");
});

test("all stores are named volumes, which `down --volumes` removes, and all mounts of files are read-only", () => {
  for (const [name, { volumes = [] }] of services) {
    for (const volume of volumes) {
      const [source = "", , mode] = volume.split(":");
      if (/^\.{1,2}\//.test(source)) expect([name, source, mode]).toEqual([name, source, "ro"]);
      else expect(compose.volumes).toHaveProperty(source);
    }
  }
});

test("each process has the key and the inbox of its own user of permissions.yaml", async () => {
  const users = usersOf(await readPermissions(join(DEPLOY, "permissions.yaml")));
  const found: string[] = [];
  for (const [name, { environment = {}, secrets = [] }] of services) {
    const user = /^\/run\/secrets\/(.+)$/.exec(environment.MURMUR_NKEY_FILE ?? "")?.[1];
    if (user === undefined) continue;
    found.push(name);
    expect(users).toContain(user);
    expect(secrets).toContain(user);
    expect(compose.secrets[user]?.file).toBe(`./keys/${user}.seed`);
    expect(environment.MURMUR_INBOX_PREFIX).toBe(`_INBOX.${user}`);
  }
  expect(found).toEqual([
    "init",
    "coordinator-1",
    "coordinator-2",
    "coordinator-3",
    "api-1",
    "api-2",
    "engine",
    "agents",
  ]);
});

test("Prometheus scrapes every process that runs on", () => {
  const { scrape_configs: jobs } = parse(readFileSync(join(DEPLOY, "prometheus/prometheus.yml"), "utf8")) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const targets = jobs.flatMap((job) => job.static_configs.flatMap((each) => each.targets)).sort();
  const running = services.filter(
    ([name, { image }]) => /MURMUR_IMAGE/.test(image) && !/^(init|volumes)$/.test(name),
  );
  expect(targets).toEqual(running.map(([name]) => `${name}:9464`).sort());
});

test("certs.sh makes certificates for the names of the servers, and keeps existing ones", () => {
  const folder = mkdtempSync(join(tmpdir(), "murmur-certs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const script = join(DEPLOY, "certs.sh");
  const make = (...names: string[]) => execFileSync("sh", [script, folder, ...names], { stdio: "pipe" });
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, encoding: "utf8" });
  make("nats.example", "10.0.0.7");
  expect(openssl("verify", "-CAfile", "ca.crt", "tls.crt", "client.crt")).toBe(
    "tls.crt: OK\nclient.crt: OK\n",
  );
  const names = openssl("x509", "-in", "tls.crt", "-noout", "-ext", "subjectAltName,extendedKeyUsage");
  for (const name of ["DNS:nats-1", "DNS:nats-3", "DNS:localhost", "DNS:nats.example", "IP Address:10.0.0.7"])
    expect(names).toContain(name);
  expect(names).toContain("TLS Web Server Authentication, TLS Web Client Authentication");
  for (const file of ["ca.key", "tls.key", "client.key"]) {
    expect((statSync(join(folder, file)).mode & 0o777).toString(8)).toBe("600");
  }

  const before = readFileSync(join(folder, "tls.crt"), "utf8");
  make();
  expect(readFileSync(join(folder, "tls.crt"), "utf8")).toBe(before);
  rmSync(join(folder, "tls.crt"));
  make();
  expect(readFileSync(join(folder, "tls.crt"), "utf8")).not.toBe(before);
  expect(openssl("verify", "-CAfile", "ca.crt", "tls.crt")).toBe("tls.crt: OK\n");

  const asked = spawnSync("sh", [script], { encoding: "utf8" });
  expect(asked.status).toBe(2);
  expect(asked.stderr).toMatch(/certs\.sh DIR \[NAME/);
});

test("the services of the file finish tasks as plain processes, with TLS and the users' permissions", async () => {
  const swarm = new DeployedSwarm();
  onTestFinished(() => swarm.stop());
  await swarm.prepare();
  const servers = ["nats-1", "nats-2", "nats-3"].map((name) => swarm.start(name));
  await Promise.all(servers.map((server) => server.says("Server is ready")));
  await Promise.race(servers.map((server) => server.says("JetStream cluster new metadata leader")));
  // Compose starts init again until the servers answer.
  for (let tries = 1; ; tries++) {
    const init = swarm.start("init");
    if ((await init.ended) === 0) break;
    if (tries === scaled(5, 30)) throw new Error(`init failed:\n${init.output()}`);
  }
  const names = ["coordinator-1", "coordinator-2", "coordinator-3", "api-1", "agents", "engine"];
  const [, , , api, agents, engine] = names
    .concat(scaled(0, 1) === 1 ? ["api-2"] : [])
    .map((name) => swarm.start(name));
  const [told] = await Promise.all([
    api!.says("api is ready"),
    agents!.says("agents are ready"),
    engine!.says("engine is ready"),
  ]);

  const [, url = ""] = /"http":"([^"]+)"/.exec(told) ?? [];
  const post = (path: string, token: string, body: object) =>
    fetch(`${url}${path}?wait=20000`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const submit = (token: string) => post("/v1/tasks", token, { capability: "echo", input: "hello" });
  expect((await submit("wrong")).status).toBe(401);
  for (let task = 0; task < scaled(3, 200); task++) {
    const answer = await submit(swarm.apiToken);
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { status: "completed", output: "hello" },
    ]);
  }
  const run = { workflow: "hello", input: { names: ["Ada", "Alan"] } };
  const ran = await post("/v1/workflows", swarm.apiToken, run);
  expect([ran.status, await ran.json()]).toMatchObject([
    200,
    { status: "completed", output: ["Ada", "Alan"] },
  ]);
}, 120_000);

/** The schema of the Compose Specification, as the package docker-compose carries it (a part of testcontainers). */
const COMPOSE_SCHEMA = join(DEPLOY, "../node_modules/docker-compose/schema/compose-spec.json");

test("the file fits the schema of the Compose Specification, and an unknown key or a wrong type does not", () => {
  const source = JSON.parse(readFileSync(COMPOSE_SCHEMA, "utf8"));
  // Zod knows the draft by this address alone; the file has it with https.
  const schema = z.fromJSONSchema({ ...source, $schema: "http://json-schema.org/draft-07/schema#" });
  const file = parse(readFileSync(join(DEPLOY, "compose.yaml"), "utf8"), { merge: true }) as {
    services: Record<string, object>;
  };
  const faultsOf = (value: unknown) => schema.safeParse(value).error?.issues ?? [];
  expect(faultsOf(file)).toEqual([]);
  const withApi = (changes: object) => ({
    ...file,
    services: { ...file.services, "api-1": { ...file.services["api-1"], ...changes } },
  });
  expect(faultsOf(withApi({ healthchek: {} }))).not.toEqual([]);
  expect(faultsOf(withApi({ read_only: 7 }))).not.toEqual([]);
  expect(faultsOf(withApi({ ports: "7070:7070" }))).not.toEqual([]);
});

// `docker compose` is not on every machine; where it is, it reads the file as well.
const hasCompose = spawnSync("docker", ["compose", "version"]).status === 0;
test.skipIf(!hasCompose)("docker compose takes the file", async () => {
  const args = ["compose", "-f", join(DEPLOY, "compose.yaml"), "config", "--quiet"];
  await promisify(execFile)("docker", args);
});
