import { describe, expect, it } from "vitest";
import { HEARD_MS, lanesOf, livingEngines, ownerOf } from "../../../src/engine/lanes/ownership.ts";
import { LANES } from "../../../src/protocol/index.ts";

describe("the owner of a lane", () => {
  it("is the same for every engine, whatever the order of its list", () => {
    for (const lane of LANES) expect(ownerOf(lane, ["a", "b", "c"])).toBe(ownerOf(lane, ["c", "a", "b"]));
  });

  it("is one engine for each lane", () => {
    const engines = ["a", "b", "c"];
    expect(engines.flatMap((id) => lanesOf(id, engines)).sort()).toEqual([...LANES]);
  });

  it("moves only the lanes of an engine that leaves", () => {
    const before = ["a", "b", "c", "d"];
    for (const lane of LANES) {
      const owner = ownerOf(lane, before);
      if (owner !== "d") expect(ownerOf(lane, ["a", "b", "c"])).toBe(owner);
    }
  });
});

describe("an engine", () => {
  it("counts as living until no beat came for 1.5 s, and this engine always does", () => {
    const heard = new Map([
      ["a", 1_000],
      ["b", 1_000 - HEARD_MS],
    ]);
    expect(livingEngines(heard, "self", 1_000)).toEqual(["a", "self"]);
  });
});
