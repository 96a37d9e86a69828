// `support bundle` and `top` on a real swarm: the archive has every part and no secret, and the screen shows the swarm.
import { appendFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readTarFile } from "../../../src/app/install/tar.ts";
import { setupWorld } from "../support.ts";

/** Secrets as people have them: in a URL, a setting, the environment, and lines of a log. */
const CANARIES = {
  password: "canary-of-the-url",
  apiToken: "canary-of-the-api-token",
  environment: "canary-of-the-environment",
  bearer: "canary.of.a.header",
  seed: `SUAC${"A".repeat(54)}`,
  key: "canary-of-a-key",
};

test("the archive has state, logs and metrics, is readable by its owner alone, and contains no secret", async () => {
  const world = setupWorld({ OPENAI_API_KEY: CANARIES.environment, MURMUR_API_TOKEN: CANARIES.apiToken });
  const swarm = await world.up("--coordinators 1 --agents echo");
  const at = join(swarm.dataDir, "logs/echo-1.log");
  const line = {
    ...{ level: 30, time: Date.now(), name: "agent", url: `nats://me:${CANARIES.password}@host:4222` },
    msg: `Authorization: Bearer ${CANARIES.bearer} with ${CANARIES.environment}, ${CANARIES.seed}, apiKey="${CANARIES.key}"`,
  };
  appendFileSync(at, `${JSON.stringify(line)}\nplain ${CANARIES.apiToken}\n`);

  const told = await world.run(`support bundle --output bundle.tar.gz --json`);
  expect(told.exitCode, told.stderr + told.stdout).toBe(0);
  const { file, files, missing } = told.json() as { file: string; files: string[]; missing: unknown[] };
  expect(missing).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining([
      ...[
        "murmur.json",
        "settings.json",
        "overview.json",
        "status.json",
        "office.json",
        "budgets.json",
        "audit.json",
      ],
      ...["logs/echo-1.log", "logs/nats-1.log", "logs/api-1.log", "logs/coordinator-1.log"],
      ...["metrics/echo-1.txt", "metrics/api-1.txt", "metrics/coordinator-1.txt"],
    ]),
  );
  expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
  const archive = gunzipSync(readFileSync(file));
  const text = (name: string) => Buffer.from(readTarFile(archive, name)!).toString("utf8");
  for (const canary of Object.values(CANARIES)) expect(archive.includes(canary), canary).toBe(false);
  expect(text("echo-1.log")).toContain("plain [redacted]");
  expect(text("echo-1.txt")).toContain("murmur_build_info");
  expect(JSON.parse(text("settings.json"))).toMatchObject({
    apiToken: { value: "[redacted]", source: "environment MURMUR_API_TOKEN" },
    prefix: { value: "murmur", source: "default" },
  });
  expect(JSON.parse(text("overview.json"))).toMatchObject({ problems: [], office: { coordinators: 1 } });

  const once = await world.run("top --once --every 1 --json");
  expect(once.exitCode, once.stderr).toBe(0);
  expect(once.json()).toMatchObject({
    office: { leader: expect.any(String) },
    agents: { states: { idle: 1 } },
    rates: { arrivingPerSecond: 0, endingPerSecond: 0, backlogSeconds: null },
  });
  expect(once.stdout.trim().split("\n")).toHaveLength(1);
}, 120_000);
