import { describe, expect, it } from "vitest";
import { decideLook, QUIET_RUN_MS } from "../../../src/engine/check/look.ts";
import type { RunSummary } from "../../../src/workflow/index.ts";

const seen = (state: RunSummary["state"], messages = 1) => ({
  summary: { id: "a", name: "order", version: 1, state, generation: 1, entries: 3, bytes: 100 },
  storedAtMs: 0,
  messages,
});

describe("the slow look", () => {
  it("lets a run decide that had no entry for ten minutes", () => {
    expect(decideLook(seen("running"), QUIET_RUN_MS - 1, false)).toBe("nothing");
    expect(decideLook(seen("running"), QUIET_RUN_MS, false)).toBe("decide");
  });

  it("tries a blocked run once when the engine begins to serve its lane", () => {
    expect(decideLook(seen("blocked"), 0, true)).toBe("decide");
    expect(decideLook(seen("blocked"), QUIET_RUN_MS, false)).toBe("nothing");
  });

  it("rolls up the log of an ended run that has several messages", () => {
    expect(decideLook(seen("completed", 2), 0, false)).toBe("roll-up");
    expect(decideLook(seen("completed", 1), QUIET_RUN_MS, false)).toBe("nothing");
  });

  it("leaves a run alone that a person holds", () => {
    expect(decideLook(seen("paused"), QUIET_RUN_MS, true)).toBe("nothing");
    expect(decideLook(seen("compensation_failed"), QUIET_RUN_MS, true)).toBe("nothing");
  });
});
