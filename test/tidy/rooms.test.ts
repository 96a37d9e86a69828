import { join } from "node:path";
import { expect, test } from "vitest";
import { type Import, listFiles, readSource, readText, roomOf } from "../../tools/build/measures/tree.ts";
import { expectGolden } from "../support/golden.ts";
import { KEEPERS, READERS_OF_APP, ROOMS } from "./rules.ts";

const files = listFiles().filter((file) => file.endsWith(".ts"));
const rooms = files.filter((file) => file.startsWith("src/")).map(readSource);
const outside = files.filter((file) => /^(agents|tools|grafana|bench|examples)\//.test(file)).map(readSource);
const workflows = files.filter((file) => file.startsWith("workflows/")).map(readSource);

/** The imports that satisfy `is`, as `file:line` with the target. */
function findImports(
  sources: typeof rooms,
  is: (found: Import, room: string, file: string) => boolean,
): string[] {
  return sources.flatMap(({ file, imports }) =>
    imports
      .filter((found) => is(found, roomOf(file), file))
      .map((found) => `${file}:${found.line} imports ${found.target}`),
  );
}

const readsApp = (file: string, target: string) => target.startsWith("src/app/") && READERS_OF_APP.test(file);

/** True for an import of another room's file. */
function isAcross(found: Import, room: string): boolean {
  return found.kind === "file" && found.target.startsWith("src/") && roomOf(found.target) !== room;
}

function readGraph(): Map<string, Set<string>> {
  const graph = new Map(rooms.map(({ file }) => [roomOf(file), new Set<string>()]));
  for (const { file, imports } of rooms) {
    const room = roomOf(file);
    for (const found of imports) if (isAcross(found, room)) graph.get(room)?.add(roomOf(found.target));
  }
  return graph;
}

test("the arrows between rooms are the reviewed ones", () => {
  const lines = [...readGraph()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([room, imports]) => `${room} -> ${[...imports].sort().join(" ") || "-"}\n`);
  expectGolden(join(import.meta.dirname, "room-graph.golden"), lines.join(""));
});

test("every room is in the table of rooms", () => {
  expect([...readGraph().keys()].filter((room) => ROOMS[room] === undefined)).toEqual([]);
});

test("the table of rooms equals the table of docs/architecture.md", () => {
  const standing =
    readText("docs/architecture.md").split("**Rooms that stand.**")[1]?.split("**Rooms to come**")[0] ?? "";
  const documented = [...standing.matchAll(/^\| `([^`]+)` \|.*\| ([^|]+) \|$/gm)].map(([, room, imports]) => [
    room,
    imports === "–" ? [] : imports?.split(", "),
  ]);
  expect(Object.fromEntries(documented)).toEqual(ROOMS);
});

test("arrows between rooms go down only", () => {
  const wrong = findImports(
    rooms,
    (found, room) => isAcross(found, room) && ROOMS[room]?.includes(roomOf(found.target)) !== true,
  );
  expect(wrong, "not in the table of rooms (test/tidy/rules.ts, docs/architecture.md section 2)").toEqual([]);
});

test("no room reaches itself through others", () => {
  const graph = readGraph();
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    [...(graph.get(from) ?? [])].some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      return reaches(next, to, seen.add(next));
    });
  expect([...graph.keys()].filter((room) => reaches(room, room))).toEqual([]);
});

test("no file of src, agents and workflows imports itself through others", () => {
  const next = new Map(
    [...rooms, ...outside, ...workflows].map(({ file, imports }) => [
      file,
      imports.filter(({ kind }) => kind === "file").map(({ target }) => target),
    ]),
  );
  const reachable = (file: string): Set<string> => {
    const seen = new Set<string>();
    const open = [...(next.get(file) ?? [])];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      open.push(...(next.get(at) ?? []));
    }
    return seen;
  };
  expect([...next.keys()].filter((file) => reachable(file).has(file))).toEqual([]);
});

test("rooms meet only at their doors", () => {
  const wrong = findImports(
    rooms,
    (found, room) => isAcross(found, room) && !/^src\/([^/]+\/)?index\.ts$/.test(found.target),
  );
  expect(wrong, "import the room's index.ts").toEqual([]);
});

test("code outside src imports src through a door", () => {
  const wrong = findImports(
    outside,
    ({ kind, target }, _, file) =>
      kind === "file" &&
      target.startsWith("src/") &&
      !/^src\/([^/]+\/)?index\.ts$/.test(target) &&
      !readsApp(file, target),
  );
  expect(wrong, "import murmur, or a room's index.ts").toEqual([]);
});

test("no room and no agent imports app, and only tests import the internal.ts of a room", () => {
  const wrong = findImports(
    [...rooms, ...outside],
    ({ kind, target }, room, file) =>
      kind === "file" &&
      ((target.startsWith("src/app/") && room !== "app" && !readsApp(file, target)) ||
        target.endsWith("/internal.ts")),
  );
  expect(wrong).toEqual([]);
});

test.each(Object.entries(KEEPERS))("%s is imported by %s alone", (name, keeper) => {
  const wrong = findImports(
    rooms,
    ({ kind, target }, room) =>
      kind === "package" &&
      room !== keeper &&
      (target === name || target.startsWith(name.replace(/\/?$/, "/"))),
  );
  expect(wrong).toEqual([]);
});
