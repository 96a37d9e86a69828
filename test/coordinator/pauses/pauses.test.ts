import { describe, expect, it } from "vitest";
import { describePause, MAX_PAUSES, pauses, viewPauses } from "../../../src/coordinator/pauses/pauses.ts";

const pause = (capability: string, by = "ada", nowMs = 1_000) =>
  ({ type: "capability-pause", capability, by, nowMs }) as const;
const resume = (capability: string) => ({ type: "capability-resume", capability, by: "bob" }) as const;

describe("the reducer of pauses", () => {
  it("keeps the first time and the first operator of a pause, and changes nothing twice", () => {
    const state = pauses.empty();
    expect(pauses.decide(state, pause("echo"), 0)).toEqual({ isChanged: true });
    expect(pauses.decide(state, pause("echo", "bob", 2_000), 0)).toEqual({ isChanged: false });
    expect(viewPauses(state)).toEqual([{ capability: "echo", sinceMs: 1_000, by: "ada" }]);
    expect(pauses.decide(state, resume("echo"), 0)).toEqual({ isChanged: true });
    expect(pauses.decide(state, resume("echo"), 0)).toEqual({ isChanged: false });
    expect(viewPauses(state)).toEqual([]);
  });

  it("is restored from its JSON", () => {
    const state = pauses.empty();
    for (const name of ["b", "a"]) pauses.decide(state, pause(name), 0);
    const restored = pauses.fromJson(JSON.parse(JSON.stringify(pauses.toJson(state))));
    expect(viewPauses(restored)).toEqual(viewPauses(state));
    expect(pauses.decide(restored, resume("a"), 0)).toEqual({ isChanged: true });
  });

  it("refuses more pauses than it keeps", () => {
    const state = pauses.empty();
    for (let index = 0; index < MAX_PAUSES; index++) pauses.decide(state, pause(`c${index}`), 0);
    expect(pauses.decide(state, pause("more"), 0)).toMatchObject({ error: { code: "conflict" } });
    expect(pauses.decide(state, pause("c1"), 0)).toEqual({ isChanged: false });
  });

  it("tells a pause in words", () => {
    expect(describePause("echo", { sinceMs: 0, by: "ada" })).toBe(
      "echo is paused since 1970-01-01T00:00:00.000Z by ada",
    );
  });
});
