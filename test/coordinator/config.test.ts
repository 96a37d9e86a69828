import { describe, expect, it } from "vitest";
import { config, MAX_VALUES, viewConfig } from "../../src/coordinator/config/config.ts";

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

  it("is not changed by who expects another revision", () => {
    const { state, set } = setup();
    set("a", "1");
    expect(set("a", "2", 0)).toMatchObject({ error: { code: "conflict", field: "expectedRevision" } });
    expect(set("b", "2", 1)).toMatchObject({ error: { code: "conflict" } });
    expect(set("a", "2", 1)).toMatchObject({ revision: 2 });
    expect(viewConfig(state)).toEqual([{ name: "a", value: "2", revision: 2 }]);
  });

  it("is removed by null, and what follows has a new revision", () => {
    const { state, set } = setup();
    set("a", "1");
    set("a", null);
    expect(viewConfig(state)).toEqual([]);
    expect(set("a", "1", 0)).toMatchObject({ revision: 3 });
  });

  it("is found by its name and by what its name begins with", () => {
    const { state, set } = setup();
    for (const name of ["a", "a.b", "ab"]) set(name, "1");
    expect(viewConfig(state, "a").map(({ name }) => name)).toEqual(["a", "a.b"]);
  });

  it("is refused where there are too many", () => {
    const { set } = setup();
    for (let index = 0; index < MAX_VALUES; index++) set(`v${index}`, "1");
    expect(set("late", "1")).toMatchObject({ error: { code: "conflict" } });
    expect(set("v1", "2")).toEqual({ name: "v1", revision: MAX_VALUES + 1 });
  });
});
