import { describe, expect, it } from "vitest";
import { config, MAX_VALUES, viewChanges, viewConfig } from "../../../src/coordinator/config/config.ts";
import {
  type Change,
  History,
  MAX_CHANGES,
  MAX_CHANGES_CHARACTERS,
  MAX_CHANGES_OF_ONE,
} from "../../../src/coordinator/config/history.ts";

function setup() {
  const state = config.empty();
  const set = (name: string, value: string | null, expectedRevision?: number) =>
    config.decide(
      state,
      { type: "config-set", name, value, ...(expectedRevision === undefined ? {} : { expectedRevision }) },
      0,
    );
  return { state, set };
}

describe("a value", () => {
  it("has a revision that rises with every change of any value", () => {
    const { set } = setup();
    expect(set("a", "1")).toEqual({ name: "a", revision: 1 });
    expect(set("b", "1")).toMatchObject({ revision: 2 });
    expect(set("a", "2")).toMatchObject({ revision: 3 });
  });

  it("is not changed by a writer that expects another revision", () => {
    const { state, set } = setup();
    set("a", "1");
    expect(set("a", "2", 0)).toMatchObject({ error: { code: "conflict", field: "expectedRevision" } });
    expect(set("b", "2", 1)).toMatchObject({ error: { code: "conflict" } });
    expect(set("a", "2", 1)).toMatchObject({ revision: 2 });
    expect(viewConfig(state)).toEqual([{ name: "a", value: "2", revision: 2 }]);
  });

  it("is removed by null, and a later value has a new revision", () => {
    const { state, set } = setup();
    set("a", "1");
    set("a", null);
    expect(viewConfig(state)).toEqual([]);
    expect(set("a", "1", 0)).toMatchObject({ revision: 3 });
  });

  it("is found by its name and by the beginning of its name", () => {
    const { state, set } = setup();
    for (const name of ["a", "a.b", "ab"]) set(name, "1");
    expect(viewConfig(state, "a").map(({ name }) => name)).toEqual(["a", "a.b"]);
  });

  it("is refused when there are too many values", () => {
    const { set } = setup();
    for (let index = 0; index < MAX_VALUES; index++) set(`v${index}`, "1");
    expect(set("late", "1")).toMatchObject({ error: { code: "conflict" } });
    expect(set("v1", "2")).toEqual({ name: "v1", revision: MAX_VALUES + 1 });
  });
});

describe("the history of values", () => {
  const change = (name: string, revision: number, value: string | null = "v"): Change => ({
    ...{ name, revision, value, atMs: 0, by: null },
  });

  it("records the writer and the time of each change, also for a removed value", () => {
    const { state } = setup();
    const command = { type: "config-set", name: "a", by: "ann" } as const;
    config.decide(state, { ...command, value: 1, nowMs: 5 }, 0);
    config.decide(state, { type: "config-set", name: "a", value: null }, 0);
    config.decide(state, { ...command, value: 2, expectedRevision: 9 }, 0); // refused
    expect(viewChanges(state, "a")).toEqual([
      { name: "a", revision: 1, value: 1, atMs: 5, by: "ann" },
      { name: "a", revision: 2, value: null, atMs: null, by: null },
    ]);
    expect(viewChanges(state, "b")).toEqual([]);
  });

  it("keeps the last changes of each value, whatever happens to other values", () => {
    const history = new History();
    history.add(change("quiet", 1));
    for (let revision = 2; revision < 100; revision++) history.add(change("loud", revision));
    const kept = history.list();
    expect(kept[0]).toMatchObject({ name: "quiet" });
    expect(kept).toHaveLength(1 + MAX_CHANGES_OF_ONE);
    expect(kept.at(-1)).toMatchObject({ revision: 99 });
  });

  it("is bounded in number and size, and drops the oldest changes", () => {
    const history = new History();
    for (let revision = 1; revision <= MAX_CHANGES + 1; revision++)
      history.add(change(`n${revision}`, revision));
    expect(history.list()).toHaveLength(MAX_CHANGES);
    expect(history.list()[0]).toMatchObject({ revision: 2 });
    const large = "x".repeat(MAX_CHANGES_CHARACTERS / 4);
    for (let revision = 1; revision <= 5; revision++) history.add(change(`l${revision}`, revision, large));
    expect(history.list().map(({ name }) => name)).toEqual(["l3", "l4", "l5"]);
  });
});
