import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { dataFiles } from "../../../../src/app/supervisor/state.ts";
import {
  changeWanted,
  countRoles,
  markServer,
  readWanted,
  showCounts,
  startWith,
  type Wanted,
  writeWanted,
} from "../../../../src/app/supervisor/wanted/wanted.ts";

const KEPT: Wanted = { agents: { review: 2 }, coordinators: 3, http: 7070, joined: null };

function setup() {
  const dataDir = mkdtempSync(join(tmpdir(), "murmur-wanted-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

test("the first up of a directory starts one echo and one coordinator", () => {
  expect(startWith({}, null, null)).toEqual({
    agents: { echo: 1 },
    coordinators: 1,
    http: null,
    joined: null,
  });
});

test("an up without arguments starts what ran before; each argument replaces its part alone", () => {
  expect(startWith({}, KEPT, null)).toEqual(KEPT);
  expect(startWith({ agents: { echo: 1 } }, KEPT, null)).toEqual({ ...KEPT, agents: { echo: 1 } });
  expect(startWith({ agents: {}, coordinators: 0, http: 0 }, KEPT, null)).toEqual({
    agents: {},
    coordinators: 0,
    http: null,
    joined: null,
  });
});

test("the number of coordinators of one server is not taken to another server", () => {
  const joined = markServer("nats://other:4222");
  expect(startWith({}, KEPT, joined)).toMatchObject({ coordinators: 0, joined });
  expect(startWith({}, { ...KEPT, joined }, joined)).toMatchObject({ coordinators: 3 });
});

test("a further up changes only the parts that it names", () => {
  expect(changeWanted(KEPT, {})).toEqual(KEPT);
  expect(changeWanted(KEPT, { agents: { echo: 4 } })).toEqual({ ...KEPT, agents: { echo: 4 } });
});

test("the mark of a server does not show its password", () => {
  expect(markServer("nats://user:hunter2@host:4222")).toMatch(/^[0-9a-f]{16}$/);
});

test("roles are counted in the order of the list", () => {
  expect(countRoles(["echo", "review", "echo"])).toEqual({ echo: 2, review: 1 });
  expect(showCounts({ echo: 2, review: 1, none: 0 })).toBe("echo*2,review");
});

test("the wanted state survives on disk, and a file of another version is an error with a next step", () => {
  const dataDir = setup();
  expect(readWanted(dataDir)).toBeNull();
  writeWanted(dataDir, KEPT);
  expect(readWanted(dataDir)).toEqual(KEPT);
  writeFileSync(dataFiles(dataDir).wanted, '{"version":2}');
  expect(() => readWanted(dataDir)).toThrow(/wanted\.json.*remove the file/);
});
