// Processes that a pod starts with something wrong: each tells it in a log line and in /readyz with the next step, gets no further, and
// does not fill its log while it waits. The processes run in the test's own process.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Ports } from "../../../src/app/cli/command.ts";
import { loadConfig } from "../../../src/app/config.ts";
import { runAgents } from "../../../src/app/processes/agents.ts";
import { runApi } from "../../../src/app/processes/api.ts";
import { runCoordinator } from "../../../src/app/processes/coordinator.ts";
import { openProbePort, type ProbePort } from "../../../src/app/processes/probe-port.ts";
import { createLogger, createMeter, silentLogger } from "../../../src/base/index.ts";
import { foundOffice } from "../../../src/coordinator/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { createQueueConsumers } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { atFileEnd } from "../support.ts";

const SOON = { timeout: 30_000, interval: 20 };
const atEnd = atFileEnd();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "murmur-bad-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
});

const KINDS = {
  api: (ports: Ports, port: ProbePort) => runApi(ports, { init: false, apply: false, port }, () => undefined),
  coordinator: (ports: Ports, port: ProbePort) => {
    const { coordinatorId: id, coordinators: members } = ports.config;
    return runCoordinator(ports, { identity: { id, members }, port }, () => undefined);
  },
  agent: (ports: Ports, port: ProbePort) => runAgents(ports, { roles: ["echo"], port }, () => undefined),
} as const;

/** Starts a process with these settings, in the test's process. */
async function start(kind: keyof typeof KINDS, environment: Record<string, string>) {
  const { config, sources } = await loadConfig({
    flags: { metricsPort: 0, metricsHost: "127.0.0.1", httpPort: 0, data: folder, drainGraceMs: 1_000 },
    environment,
    directory: folder,
  });
  const lines: { msg: string; level: number; err?: { message: string } }[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => void lines.push(JSON.parse(line)) } });
  const controller = new AbortController();
  const ports = { config, sources, environment, directory: folder, log, signal: controller.signal };
  const port = await openProbePort(ports);
  const ended = KINDS[kind](ports as unknown as Ports, port).catch((error: unknown) => error);
  onTestFinished(async () => {
    controller.abort(new SwarmError("cancelled", "the test ends"));
    await ended;
  });
  return {
    lines,
    warnings: () => lines.filter(({ level }) => level >= 40),
    ended: ended as Promise<Error | undefined>,
    stop: () => {
      controller.abort(new SwarmError("cancelled", "the test stops the process"));
      return ended;
    },
    ready: async () => (await fetch(`${port.url}/readyz`)).text(),
  };
}

describe("TLS", () => {
  let server: NatsServer;
  const at = (name: string) => join(folder, name);

  /** A CA, and certificates of servers: for this machine, for another host, and an expired one. */
  beforeAll(async () => {
    const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
    const createKey = (name: string) =>
      openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
    for (const ca of ["ca", "other-ca"]) {
      createKey(ca);
      openssl(
        "req",
        "-x509",
        "-new",
        "-key",
        `${ca}.key`,
        "-subj",
        `/CN=${ca}`,
        "-days",
        "2",
        "-out",
        `${ca}.pem`,
      );
    }
    const issue = (name: string, san: string, ...days: string[]) => {
      createKey(name);
      writeFileSync(at("san"), `subjectAltName=${san}`);
      openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${name}`, "-out", `${name}.csr`);
      const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", ...days];
      openssl("x509", "-req", "-in", `${name}.csr`, ...signer, "-extfile", "san", "-out", `${name}.pem`);
    };
    issue("good", "IP:127.0.0.1", "-days", "2");
    issue("elsewhere", "DNS:nats.example", "-days", "2");
    issue("old", "IP:127.0.0.1", "-days", "0");
  });

  const serve = async (certificate: string, more = "") => {
    const config = `tls { cert_file: "${at(`${certificate}.pem`)}", key_file: "${at(`${certificate}.key`)}"${more} }`;
    server = await startNatsServer({ config });
    onTestFinished(() => server.stop());
    return server.url.replace("nats:", "tls:");
  };

  test.each([
    [
      "a CA that did not sign the certificate of the server",
      "good",
      "other-ca",
      "give the CA of the servers",
    ],
    [
      "a certificate of another host",
      "elsewhere",
      "ca",
      "belongs to another host; connect to a name that it lists",
    ],
    ["an expired certificate", "old", "ca", "has expired; renew it"],
  ])("%s is told once and in /readyz", { timeout: 60_000 }, async (_, certificate, ca, next) => {
    const url = await serve(certificate);
    const { ready, warnings } = await start("coordinator", {
      MURMUR_SERVER: url,
      MURMUR_TLS_CA: at(`${ca}.pem`),
    });
    await vi.waitFor(async () => expect(await ready()).toContain(next), SOON);
    expect(await ready()).toMatch(/^FAIL nats: not connected yet; the process keeps trying: cannot connect/m);
    // The third attempt begins within a second: further ones write no line for a minute.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(warnings().map(({ msg }) => msg)).toEqual(["cannot connect to NATS yet; retrying"]);
    expect(warnings()[0]?.err?.message).toContain(next);
  });

  test.each([
    ["no certificate", {}],
    ["an expired certificate", { MURMUR_TLS_CERT: "old.pem", MURMUR_TLS_KEY: "old.key" }],
  ])(
    "a server that wants a certificate, and a process with %s, is told once and in /readyz",
    {
      timeout: 60_000,
    },
    async (_, files) => {
      const url = await serve("good", `, ca_file: "${at("ca.pem")}", verify: true`);
      const own = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, at(file)]));
      const { ready, warnings } = await start("api", {
        MURMUR_SERVER: url,
        MURMUR_TLS_CA: at("ca.pem"),
        ...own,
      });
      const next = "the server refuses the certificate of this process";
      await vi.waitFor(async () => expect(await ready()).toContain(next), SOON);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(warnings().map(({ msg }) => msg)).toEqual(["cannot connect to NATS yet; retrying"]);
    },
  );
});

test.each([
  [
    "a password file that is missing",
    { MURMUR_USER: "u", MURMUR_PASSWORD_FILE: "FOLDER/nowhere" },
    "cannot be read",
  ],
  ["a key file that is empty", { MURMUR_NKEY_FILE: "FOLDER/empty" }, "is empty"],
])("%s ends the process with the file and the reason", async (_, settings, reason) => {
  writeFileSync(join(folder, "empty"), "");
  const paths = Object.entries(settings).map(([name, value]) => [name, value.replace("FOLDER", folder)]);
  const { ended } = await start("api", { MURMUR_SERVER: "nats://127.0.0.1:1", ...Object.fromEntries(paths) });
  const error = await ended;
  expect(error).toMatchObject({ code: "invalid_input" });
  expect(error?.message).toContain(reason);
});

test("a server without JetStream ends each kind of process, with the way to give it one", async () => {
  const server = await startNatsServer({ jetstream: false });
  onTestFinished(() => server.stop());
  const kinds = await Promise.all(
    (["api", "coordinator", "agent"] as const).map((kind) => start(kind, { MURMUR_SERVER: server.url })),
  );
  for (const { ended } of kinds) {
    expect(await ended).toMatchObject({ message: expect.stringContaining("start it with -js") });
  }
});

describe("streams", () => {
  let server: NatsServer;
  const request = async (subject: string, body = "") => {
    const admin = await connect({ servers: server.url });
    const reply = (await admin.request(subject, body)).json();
    await admin.close();
    return reply as { config: Record<string, unknown> };
  };

  const init = async () => {
    const parts = { servers: server.url, prefix: "murmur", log: silentLogger, meter: createMeter() };
    const transport = await connectNats({ ...parts, name: "test" });
    await transport.init();
    await foundOffice(transport);
    await createQueueConsumers(transport, ["echo"]);
    await transport.close();
  };

  beforeAll(async () => {
    server = await startNatsServer();
    atEnd(() => server.stop());
    await init();
  });

  test("a bucket that is missing is named with the command that makes it, in one line and in /readyz", async () => {
    await request("$JS.API.STREAM.DELETE.KV_MURMUR_LIMITS");
    const { ready, warnings, lines } = await start("api", { MURMUR_SERVER: server.url });
    await vi.waitFor(
      async () => expect(await ready()).toContain("MURMUR_LIMITS does not exist; murmur init creates it"),
      SOON,
    );
    expect(await ready()).toContain("FAIL started: waiting for the streams");
    await new Promise((resolve) => setTimeout(resolve, 500)); // five more looks
    expect(warnings().map(({ msg }) => msg)).toEqual([
      "waiting for a missing stream or bucket; murmur init creates it",
    ]);
    expect(lines.map(({ msg }) => msg)).not.toContain("api is ready");
    await init();
    await vi.waitFor(async () => expect(await ready()).toContain("ok   started"), SOON);
  }, 60_000);

  test("a stream that differs from its definition is told in one line and in /readyz, and nothing starts until it is corrected", async () => {
    const name = "MURMUR_RESULTS";
    const { config } = await request(`$JS.API.STREAM.INFO.${name}`);
    const update = (changes: object) =>
      request(`$JS.API.STREAM.UPDATE.${name}`, JSON.stringify({ ...config, ...changes }));
    await update({ discard: "old", discard_new_per_subject: false });
    const kinds = await Promise.all(
      (["api", "coordinator"] as const).map((kind) => start(kind, { MURMUR_SERVER: server.url })),
    );
    const problem = `stream ${name}: discard must be new, found old; when all processes of the swarm run this version, \`murmur init --apply\` changes it`;
    for (const { ready, warnings } of kinds) {
      await vi.waitFor(
        async () => expect(await ready()).toContain(`FAIL started: waiting for the streams: ${problem}`),
        SOON,
      );
      await new Promise((resolve) => setTimeout(resolve, 300)); // three more looks
      expect(warnings()).toEqual([expect.objectContaining({ problem })]);
    }
    await update({});
    for (const { ready } of kinds)
      await vi.waitFor(async () => expect(await ready()).toContain("ok   started"), SOON);
  }, 60_000);

  test("a second release with the prefix, or with the ids, of a running one starts no coordinator and says so, until the first has gone", async () => {
    const environment = (id: string, members = id) => ({
      MURMUR_SERVER: server.url,
      MURMUR_COORDINATOR_ID: id,
      MURMUR_COORDINATORS: members,
    });
    const first = await start("coordinator", environment("one-0"));
    await vi.waitFor(async () => expect(await first.ready()).toContain("ok   office"), SOON);
    const others = await Promise.all([
      start("coordinator", environment("two-0")),
      start("coordinator", environment("one-0")),
    ]);
    const problems = [
      /another swarm uses the prefix murmur: its coordinators are one-0, and this one's two-0; give each swarm a prefix/,
      /another process runs as the coordinator one-0 of the prefix murmur; stop one of them/,
    ];
    for (const [at, { ready }] of others.entries())
      await vi.waitFor(async () => expect(await ready()).toMatch(problems[at]!), SOON);
    expect(await first.ready()).not.toContain("FAIL");
    for (const [at, { lines, warnings }] of others.entries()) {
      expect(warnings().map(({ msg }) => msg)).toEqual([expect.stringMatching(problems[at]!)]);
      expect(lines.map(({ msg }) => msg)).not.toContain("took the office");
    }
    await others[1]!.stop();
    await first.stop();
    await vi.waitFor(async () => expect(await others[0]!.ready()).toContain("ok   started"), SOON);
  }, 60_000);

  test("a stream that acknowledges nothing, as on a full disk, is told in one line and in /readyz until it does", async () => {
    const name = "MURMUR_TASKS";
    const { config } = await request(`$JS.API.STREAM.INFO.${name}`);
    const update = (changes: object) =>
      request(`$JS.API.STREAM.UPDATE.${name}`, JSON.stringify({ ...config, ...changes }));
    const { ready, lines, warnings } = await start("api", { MURMUR_SERVER: server.url });
    await vi.waitFor(async () => expect(await ready()).toContain("ok   started"), SOON); // the front door answers
    expect(await ready()).toContain("ok   appends");
    await update({ no_ack: true });
    const admin = await connect({ servers: server.url });
    onTestFinished(() => admin.close());
    const submit = (id: string) =>
      admin
        .request("murmur.submit", JSON.stringify({ id, capability: "echo", input: 1 }), {
          timeout: 20_000,
        })
        .catch(() => undefined);
    await submit("one");
    const problem = `stream ${name} acknowledges no message, though NATS answers: the disk of a server may be full`;
    await vi.waitFor(async () => expect(await ready()).toContain(`warn appends: ${problem}`), SOON);
    expect(warnings().filter(({ msg }) => msg.startsWith(problem))).toHaveLength(1);
    await update({});
    await submit("two");
    await vi.waitFor(async () => expect(await ready()).toContain("ok   appends"), SOON);
    expect(lines.map(({ msg }) => msg)).toContain("stream acknowledges messages again");
  }, 90_000);

  test("a clock that is ten minutes off is told in one line and in /readyz, and the process works by the server's time", async () => {
    const now = Date.now.bind(Date);
    const spy = vi.spyOn(Date, "now").mockImplementation(() => now() + 600_000);
    onTestFinished(() => spy.mockRestore());
    const { ready, warnings } = await start("coordinator", { MURMUR_SERVER: server.url });
    await vi.waitFor(async () => expect(await ready()).toContain("ok   office"), SOON);
    const problem =
      /this machine's clock is 600\.\d s ahead of the NATS server's; set it, for example with NTP/;
    expect(await ready()).toMatch(new RegExp(`^warn clock: ${problem.source}`, "m"));
    expect(warnings().map(({ msg }) => msg)).toEqual([expect.stringMatching(problem)]);
  }, 60_000);

  test("agents whose capability no user submits are told in one line and in /readyz", async () => {
    const file = join(folder, "permissions.yaml");
    writeFileSync(
      file,
      "version: 1\npublishers: [{ name: web, capabilities: [echo] }]\nclasses: [{ name: gpu, capabilities: [echo, render] }]\n",
    );
    const { ready, warnings } = await start("api", {
      MURMUR_SERVER: server.url,
      MURMUR_PERMISSIONS_FILE: file,
    });
    const next = "so its agents wait in vain; add it to a publisher, or remove it from the class";
    await vi.waitFor(async () => expect(await ready()).toContain("ok   started"), SOON);
    expect(await ready()).toMatch(new RegExp(`^warn permissions-file: .*tasks of render .*${next}`, "m"));
    expect(warnings()).toEqual([expect.objectContaining({ problem: expect.stringContaining(next) })]);
  }, 60_000);

  test("a swarm of another prefix on the same server is not touched: the process waits for its own streams", async () => {
    const { ready } = await start("coordinator", { MURMUR_SERVER: server.url, MURMUR_PREFIX: "other" });
    await vi.waitFor(
      async () => expect(await ready()).toContain("OTHER_TASKS does not exist; murmur init creates it"),
      SOON,
    );
  }, 60_000);
});
