import { expect, onTestFinished, test, vi } from "vitest";
import { createRivalWatch, findRival, type RivalParts } from "../../../src/coordinator/index.ts";
import type { CoordinatorStatus } from "../../../src/protocol/index.ts";
import { collectLines } from "../log-lines.ts";
import { SOON } from "../support.ts";

const THREE = ["a", "b", "c"];

/** A swarm of `a`, `b` and `c`, where these coordinators answer, and the leader has this list. */
function setup(
  answers: [id: string, role: CoordinatorStatus["role"]][],
  list: readonly string[] | null = THREE,
) {
  const state = { answers, list };
  const parts: RivalParts = {
    prefix: "murmur",
    id: "a",
    members: THREE,
    client: {
      listCoordinators: async () => state.answers.map(([id, role]) => ({ id, role }) as CoordinatorStatus),
      tenure: async () => {
        if (state.list === null) throw new Error("no answer");
        return { leader: "x", members: state.list };
      },
    },
  };
  return { parts, state };
}
const starting = { answersItself: false };
const running = { answersItself: true };

test("the other coordinators of the list, and none at all, are no rivals", async () => {
  expect(
    await findRival(
      setup([
        ["b", "leader"],
        ["c", "follower"],
      ]).parts,
      starting,
    ),
  ).toBeNull();
  expect(await findRival(setup([]).parts, starting)).toBeNull();
  const { parts } = setup([]);
  const silent = { ...parts.client, listCoordinators: () => Promise.reject(new Error("not connected")) };
  expect(await findRival({ ...parts, client: silent }, starting)).toBeNull();
});

test("a second process with the id is a rival; the own answer of a running coordinator is none", async () => {
  const { parts, state } = setup([["a", "follower"]]);
  const text =
    /^another process runs as the coordinator a of the prefix murmur; stop one of them, or give each swarm a prefix/;
  expect(await findRival(parts, starting)).toMatch(text);
  expect(await findRival(parts, running)).toBeNull();
  state.answers = [
    ["a", "follower"],
    ["a", "leader"],
  ];
  expect(await findRival(parts, running)).toMatch(text);
});

test("a leader whose list has no coordinator of this list is another swarm; a list that grows or shrinks is not", async () => {
  const { parts, state } = setup(
    [
      ["x", "leader"],
      ["y", "follower"],
    ],
    ["x", "y", "z"],
  );
  expect(await findRival(parts, starting)).toBe(
    "another swarm uses the prefix murmur: its coordinators are x,y,z, and this one's a,b,c; give each swarm a prefix of its own (MURMUR_PREFIX), or stop that one",
  );
  state.list = ["x", "b", "c"];
  expect(await findRival(parts, starting)).toBeNull();
  state.list = null;
  expect(await findRival(parts, starting)).toBeNull();
});

test("a running coordinator tells a rival while it is there, in one log line each time that it comes", async () => {
  const { parts, state } = setup([["a", "leader"]]);
  const { log, lines } = collectLines();
  const watch = createRivalWatch({ ...parts, log, lookIntervalMs: 5 });
  await watch.service.start();
  onTestFinished(() => watch.service.stop());
  for (const times of [1, 2]) {
    state.answers = [
      ["a", "leader"],
      ["a", "follower"],
    ];
    await vi.waitFor(() => expect(watch.problem()).toContain("another process runs as"), SOON);
    state.answers = [["a", "leader"]];
    await vi.waitFor(() => expect(watch.problem()).toBeNull(), SOON);
    expect(lines).toHaveLength(times);
  }
});
