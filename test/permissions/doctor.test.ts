// `doctor --role` on a real server with rendered permissions: each role finds its own lines allowed and foreign ones refused, and no
// attempt has an effect.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rolesOf, seedFile } from "../../src/app/permissions/index.ts";
import { subjectPattern } from "../../src/protocol/index.ts";
import type { Transport } from "../../src/transport/index.ts";
import { callCli } from "../app/support.ts";
import { type GuardedServer, startGuarded } from "./support.ts";

const FILE = `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes:
  - { name: default, capabilities: [echo] }
  - { name: review, capabilities: [docs], asks: [echo] }
operators: [{ name: anna, access: admin }]
`;

interface Answer {
  healthy: boolean;
  checks: { name: string; verdict: string; detail: string; next: string | null }[];
  trial: {
    line: string;
    attempts: { operation: string; subject: string; expected: string; found: string; verdict: string }[];
    notTried: { count: number; reason: string }[];
  };
}

let guarded: GuardedServer;
let folder: string;
beforeAll(async () => {
  guarded = await startGuarded(FILE);
  folder = mkdtempSync(join(tmpdir(), "murmur-doctor-"));
  writeFileSync(join(folder, "permissions.yaml"), FILE);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await guarded.stop();
});

/** Runs the command with the key of `user`, and the settings of its process. */
const doctor = (role: string, user: string, ...more: string[]) =>
  callCli(["doctor", "--role", role, ...more], {
    directory: folder,
    environment: {
      NATS_URL: guarded.server.url,
      MURMUR_NKEY_FILE: seedFile(guarded.keys, user),
      MURMUR_INBOX_PREFIX: `_INBOX.${user}`,
      MURMUR_PERMISSIONS_FILE: "permissions.yaml",
    },
  });

/** The numbers of messages of all streams that the attempts could reach. */
async function stored(api: Transport): Promise<number[]> {
  const keys = ["tasks", "later", "results", "journal", "dead", "office", "audit"] as const;
  const facts = await Promise.all(keys.map((key) => api.log(key).info()));
  return facts.map(({ messages }) => messages);
}

test("every role finds its own lines allowed and foreign ones refused, and no attempt has an effect", async () => {
  const init = await guarded.connect("init");
  await init.init({ classes: ["default", "review"] });
  await init.close();
  const api = await guarded.connect("api");
  const witness = await guarded.connect("coordinator-1");
  const heard: string[] = [];
  const subjects = ["heartbeat", "office", "gone"] as const;
  for (const name of subjects) {
    witness.bus.subscribe(subjectPattern("murmur", name), ({ subject }) => void heard.push(subject));
  }
  await witness.bus.flush();
  const before = await stored(api);
  for (const { title, user } of rolesOf(guarded.file)) {
    const { exitCode, json } = await doctor(title, user, "--json");
    const { checks, trial } = json() as unknown as Answer;
    expect(checks.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(trial.attempts.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(exitCode).toBe(0);
    const counts = Object.groupBy(trial.attempts, ({ expected }) => expected);
    expect(counts.allowed!.length).toBeGreaterThan(1);
    expect(counts.refused!.length).toBeGreaterThan(50);
  }
  expect(await stored(api)).toEqual(before);
  await witness.bus.flush();
  expect(heard).toEqual([]);
  await Promise.all([api.close(), witness.close()]);
});

test("the key of another role is a fault of each line that differs, with the line of the file", async () => {
  const { exitCode, json } = await doctor("agent/default", "agent-review", "--json");
  const { healthy, checks, trial } = json() as unknown as Answer;
  expect({ exitCode, healthy }).toEqual({ exitCode: 1, healthy: false });
  expect(trial.line).toMatch(/permissions\.yaml:4 \(classes\.0\)$/);
  expect(checks).toContainEqual(expect.objectContaining({ name: "inbox", verdict: "failed" }));
  const fault = (subject: string) => trial.attempts.find((attempt) => attempt.subject === subject);
  expect(fault("murmur.ask.echo")).toMatchObject({ found: "refused", verdict: "fault" });
  expect(fault("murmur.ask.docs")).toMatchObject({ expected: "refused", found: "allowed", verdict: "fault" });
  const { stdout } = await doctor("agent/default", "agent-review");
  expect(stdout).toMatch(/FAULT +\w+ .*permissions\.yaml:4 \(classes\.0\)/);
});

test("a swarm's file that the server does not know yet shows the new lines as faults", async () => {
  const wider = FILE.replace("capabilities: [docs]", "capabilities: [docs, prose]");
  writeFileSync(join(folder, "wider.yaml"), wider);
  const { exitCode, json } = await doctor(
    "agent/review",
    "agent-review",
    "--permissions",
    "wider.yaml",
    "--json",
  );
  const { trial, checks } = json() as unknown as Answer;
  const faults = trial.attempts.filter(({ verdict }) => verdict === "fault");
  expect(exitCode).toBe(1);
  expect(faults.length).toBeGreaterThan(0);
  expect(faults.filter(({ subject }) => !subject.includes("prose"))).toEqual([]);
  expect(checks.at(-1)!.next).toMatch(/wider\.yaml:5 \(classes\.1\).*murmur permissions render/);
});

test("a role that is not in the file, and a file without a role, are refused", async () => {
  expect((await doctor("agent/nobody", "agent-review")).stderr).toMatch(
    /role "agent\/nobody" is not in the permissions/,
  );
  const without = await callCli(["doctor", "--permissions", "permissions.yaml"], {
    directory: folder,
    environment: {},
  });
  expect(without.stderr).toMatch(/--permissions is given without --role/);
});
