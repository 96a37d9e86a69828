import { expect, test } from "vitest";
import { loadConfig } from "../../../../src/app/config.ts";
import {
  compareServer,
  compareSettings,
  decideChanges,
  type Place,
  showFiles,
} from "../../../../src/app/supervisor/wanted/changes.ts";
import { viewSettings } from "../../../../src/app/supervisor/wanted/settings.ts";

const place = (name: string): Place => {
  const [role = "", number] = name.split("-");
  return { role, number: Number(number) };
};
const nameOf = ({ role, number }: Place) => `${role}-${number}`;

function decide(running: readonly string[], agents: Record<string, number>) {
  const changes = decideChanges(
    { agents: running.map(place), coordinators: 1, http: 7070 },
    { agents, coordinators: 1, http: null, joined: null },
  );
  return { ...changes, add: changes.add.map(nameOf), remove: changes.remove.map(nameOf) };
}

test.each([
  [["echo-1"], { echo: 1 }, [], []],
  [["echo-1"], { echo: 3 }, ["echo-2", "echo-3"], []],
  [["echo-1", "echo-2", "echo-3"], { echo: 1 }, [], ["echo-3", "echo-2"]],
  [["echo-2"], { echo: 2, review: 1 }, ["echo-1", "review-1"], []],
  [["echo-1", "review-1"], { review: 1 }, [], ["echo-1"]],
  [["echo-1"], {}, [], ["echo-1"]],
])("from %j to %j: start %j, end %j", (running, agents, add, remove) => {
  expect(decide(running, agents)).toEqual({ add, remove, renewCoordinators: false, renewApi: false });
});

test("another number of coordinators and another port renew these processes alone", () => {
  const wanted = { agents: {}, coordinators: 3, http: 8080, joined: null };
  expect(decideChanges({ agents: [], coordinators: 1, http: 7070 }, wanted)).toMatchObject({
    renewCoordinators: true,
    renewApi: true,
  });
  expect(decideChanges({ agents: [], coordinators: 3, http: 8080 }, wanted)).toMatchObject({
    renewCoordinators: false,
    renewApi: false,
  });
});

test("a setting that the caller names and the swarm does not have is told as asked for; a missing one is only told", async () => {
  const load = (environment: Record<string, string>) =>
    loadConfig({ flags: {}, environment, directory: "/nowhere" });
  const running = await load({ MURMUR_HEAP_MB: "300", MURMUR_API_TOKEN: "a-secret-of-the-swarm" });
  const caller = await load({ MURMUR_SYNC: "always", MURMUR_API_TOKEN: "another-secret-text" });
  const differences = compareSettings(
    viewSettings(running.config),
    viewSettings(caller.config, caller.sources),
  );
  expect(differences.map(({ name, asked }) => ({ name, asked }))).toEqual([
    { name: "apiToken", asked: true },
    { name: "heapMb", asked: false },
    { name: "sync", asked: true },
  ]);
  expect(JSON.stringify(differences)).not.toContain("secret-");
  expect(compareSettings(viewSettings(caller.config), viewSettings(caller.config, caller.sources))).toEqual(
    [],
  );
});

test("a named server that is not the swarm's own is told; without a name nothing is compared", () => {
  expect(compareServer("a", null)).toEqual([]);
  expect(compareServer("a", "a")).toEqual([]);
  expect(compareServer(null, "a")).toMatchObject([{ kind: "server", asked: true }]);
});

test("many files are named in part", () => {
  expect(showFiles(["a", "b"])).toBe("a, b");
  expect(showFiles(["a", "b", "c", "d", "e"])).toBe("a, b, c and 2 more");
});
