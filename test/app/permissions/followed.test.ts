import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { FileChange } from "../../../src/app/followed-file.ts";
import { FollowedPermissions, rightsOf } from "../../../src/app/permissions/index.ts";
import { createLogger, silentLogger } from "../../../src/base/index.ts";

const withUsers = (...names: string[]) =>
  `version: 1\noperators: [${names.map((name) => `{ name: ${name}, access: read }`).join(", ")}]\n`;

async function setup(text = withUsers("anna", "ben")) {
  const folder = mkdtempSync(join(tmpdir(), "murmur-followed-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "permissions.yaml");
  writeFileSync(file, text);
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const followed = await FollowedPermissions.read(file, { log });
  const changes: FileChange[] = [];
  const look = () => followed.look((change) => changes.push(change));
  const problem = () => followed.problem;
  const users = () => followed.now.operators.map(({ name }) => name);
  return { file, followed, changes, look, lines, problem, users };
}

test("a changed file counts at the next look, and the change has both hashes and the numbers of users", async () => {
  const { file, followed, changes, look, lines } = await setup();
  await look();
  expect(changes).toEqual([]);
  writeFileSync(file, withUsers("ben", "carla", "dora"));
  await look();
  await look();
  expect(rightsOf("anna", followed.now)).toBeNull();
  expect(rightsOf("dora", followed.now)).toMatchObject({ access: "read" });
  const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
  expect(changes).toEqual([{ outcome: "done", from: hash, to: hash, added: 2, removed: 1 }]);
  expect(changes[0]!.from).not.toBe(changes[0]!.to);
  expect(lines).toHaveLength(1);
});

test("a broken file keeps the rights, with one log line, one change and a warning until it is mended", async () => {
  const { file, changes, look, lines, problem, users } = await setup();
  writeFileSync(file, "version: 1\noperators: [{ name: anna, access: all }]\n");
  await look();
  await look();
  expect(users()).toEqual(["anna", "ben"]);
  expect(problem()).toMatch(/permissions\.yaml:2: operators\.0\.access must be .*; the earlier rights count/);
  expect(changes).toMatchObject([{ outcome: "invalid_input" }]);
  expect(changes[0]).not.toHaveProperty("added");
  expect(lines).toHaveLength(1);
  writeFileSync(file, withUsers("anna"));
  await look();
  expect(users()).toEqual(["anna"]);
  expect(problem()).toBeNull();
  expect(changes[1]).toMatchObject({ outcome: "done", from: changes[0]!.from, added: 0, removed: 1 });
});

test("a file that disappears, and comes back as it was, changes nothing", async () => {
  const { file, changes, look, problem, users } = await setup();
  rmSync(file);
  await look();
  await look();
  expect(problem()).toMatch(/cannot be read \(ENOENT\)/);
  expect(changes).toMatchObject([{ outcome: "invalid_input", to: null }]);
  writeFileSync(file, withUsers("anna", "ben"));
  await look();
  expect(problem()).toBeNull();
  expect(users()).toEqual(["anna", "ben"]);
  expect(changes).toHaveLength(1);
});

test("the prefix cannot change while the process runs", async () => {
  const { file, look, followed, problem } = await setup();
  writeFileSync(file, `prefix: other\n${withUsers("anna")}`);
  await look();
  expect(followed.now.prefix).toBe("murmur");
  expect(problem()).toContain("prefix must stay murmur, got other");
});

test("the service looks by itself until it stops", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const { file, followed } = await setup();
  const changed = Promise.withResolvers<FileChange>();
  const service = followed.follow(changed.resolve);
  await service.start();
  writeFileSync(file, withUsers("anna"));
  vi.advanceTimersByTime(5_000);
  expect(await changed.promise).toMatchObject({ outcome: "done", removed: 1 });
  await service.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("a file that is broken at the start is an error", async () => {
  await expect(setup("version: 2\n")).rejects.toMatchObject({ code: "invalid_input" });
  await expect(FollowedPermissions.read("/nowhere.yaml", { log: silentLogger })).rejects.toMatchObject({
    code: "invalid_input",
  });
});

test("a class whose capability no user submits is a warning, in one log line for each change of the file", async () => {
  const file = (capabilities: string) =>
    `version: 1\npublishers: [{ name: web, capabilities: [${capabilities}] }]\nclasses: [{ name: gpu, capabilities: [render, echo] }]\n`;
  const { file: path, look, lines, problem, followed } = await setup(file("echo"));
  const text =
    /no publisher and no operator submits tasks of render \(classes\[gpu\]\), so its agents wait in vain; add it/;
  expect(problem()).toMatch(text);
  await look();
  expect(lines).toEqual([expect.stringMatching(text)]);
  writeFileSync(path, file("echo, render"));
  await look();
  expect(problem()).toBeNull();
  expect(followed.now.publishers[0]?.capabilities).toEqual(["echo", "render"]);
});
