import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { drawRoleDiagram, ROLE_TABLE } from "../../../src/consensus/internal.ts";

describe("the role table", () => {
  it("equals the diagram in docs/election.md", () => {
    const page = readFileSync(new URL("../../../docs/election.md", import.meta.url), "utf8");
    const diagram = /```mermaid\n([\s\S]*?)\n```/.exec(page)?.[1];
    expect(diagram).toBe(drawRoleDiagram());
  });

  it("has one target for each role and reason", () => {
    const ways = ROLE_TABLE.map(({ from, reason }) => `${from}: ${reason}`);
    expect(new Set(ways).size).toBe(ways.length);
  });

  it("reaches every role, and reaches leader only by votes", () => {
    expect(new Set(ROLE_TABLE.map(({ to }) => to))).toEqual(
      new Set(["follower", "precandidate", "candidate", "leader"]),
    );
    expect(ROLE_TABLE.filter(({ to }) => to === "leader").map(({ reason }) => reason)).toEqual(["votes won"]);
  });
});
