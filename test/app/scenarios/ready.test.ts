// `/livez` and `/readyz` of processes, as a pod's probes meet them.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { setupOffice } from "../../coordinator/support.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { createCoordinator } from "../../support/office/process.ts";
import { collect, eventually, setupWorld } from "../support.ts";

const members = ["a", "b", "c"];

/** Three coordinators of an office whose log exists; none runs yet. */
async function setup() {
  const server = await startNatsServer();
  await setupOffice({ at: server });
  const directory = mkdtempSync(join(tmpdir(), "murmur-ready-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const logOf = (id: string) => join(directory, `${id}.log`);
  const make = (id: string) => createCoordinator({ id, members, server: server.url, logFile: logOf(id) });
  const coordinators = new Map(members.map((id) => [id, make(id)]));
  onTestFinished(async () => {
    await Promise.all([...coordinators.values()].map((each) => each.kill()));
  });
  return {
    start: (id: string) => coordinators.get(id)!.start(),
    /** The answer of its /readyz, once it serves it. */
    async probe(id: string) {
      const lines = existsSync(logOf(id)) ? readFileSync(logOf(id), "utf8") : "";
      const [, url] = /"metrics":"([^"]+)\/metrics"/.exec(lines) ?? [];
      if (url === undefined) return undefined;
      const answer = await fetch(`${url}/readyz`);
      return { status: answer.status, text: await answer.text() };
    },
  };
}

test("one of three coordinators alone answers 503 and why; with a second both answer 200", async () => {
  const { start, probe } = await setup();
  start("a");
  const alone = await eventually(async () => {
    const answer = await probe("a");
    return answer?.text.includes("no leader is known") ? answer : undefined;
  });
  expect(alone.status).toBe(503);
  expect(alone.text).toContain("FAIL office: no leader is known\n");
  start("b");
  const statuses = async () => (await Promise.all([probe("a"), probe("b")])).map((each) => each?.status);
  await eventually(async () => ((await statuses()).every((status) => status === 200) ? true : undefined));
});

test("an agent process listens before it loads its agents, and says that it loads them", async () => {
  const world = setupWorld({
    MURMUR_METRICS_PORT: "0",
    MURMUR_LOG_FORMAT: "json",
    MURMUR_AGENTS_DIR: "agents",
  });
  mkdirSync(join(world.directory, "agents", "slow"), { recursive: true });
  writeFileSync(
    join(world.directory, "agents", "slow", "agent.ts"),
    `await new Promise(() => setInterval(() => undefined, 60_000));\n`,
  );
  const child = world.start("agent run slow --server nats://127.0.0.1:1");
  const ended = collect(child);
  let lines = "";
  child.stderr!.on("data", (bytes: Buffer) => {
    lines += bytes.toString();
  });
  const url = await eventually(() => /"probes":"([^"]+)"/.exec(lines)?.[1]);
  expect(await (await fetch(`${url}/livez`)).text()).toBe("ok\n");
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toContain("FAIL started: loading the agent slow\n");
  child.kill("SIGTERM");
  expect((await ended).exitCode).toBe(0);
});

test("a process that starts before NATS is alive and tells what it waits for; it gets ready with NATS, and is not ready while it drains", async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  await server.kill();
  const world = setupWorld({ MURMUR_HTTP_PORT: "0", MURMUR_METRICS_PORT: "0", MURMUR_LOG_FORMAT: "json" });
  const child = world.start(`api --init --server ${server.url}`);
  const ended = collect(child);
  let lines = "";
  child.stderr!.on("data", (bytes: Buffer) => {
    lines += bytes.toString();
  });
  const url = await eventually(() => /"probes":"([^"]+)"/.exec(lines)?.[1]);
  const probe = async (path: string) => {
    const answer = await fetch(`${url}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  expect(await probe("/livez")).toEqual({ status: 200, text: "ok\n" });
  const alone = await probe("/readyz");
  expect(alone.status).toBe(503);
  expect(alone.text).toContain("FAIL started: connecting to NATS\n");
  expect(alone.text).toContain("FAIL nats: not connected yet; the process keeps trying");

  await server.restart();
  await eventually(async () => ((await probe("/readyz")).status === 200 ? true : undefined));
  const metrics = (await probe("/metrics")).text;
  for (const check of ["started", "nats", "streams", "clock"]) {
    expect(metrics).toMatch(new RegExp(`^murmur_ready\\{check="${check}"\\} 1$`, "m"));
  }

  await server.kill();
  await eventually(async () => {
    const { status, text } = await probe("/readyz");
    return status === 503 && text.includes("FAIL streams: skipped: not connected to NATS\n")
      ? true
      : undefined;
  });
  await server.restart();
  await eventually(async () => ((await probe("/readyz")).status === 200 ? true : undefined));
  child.kill("SIGTERM");
  expect((await ended).exitCode).toBe(0);
});
