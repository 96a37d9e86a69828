import { expect, test } from "vitest";
import { QuestionForm } from "../../../../src/coordinator/ballots/ask/messages.ts";
import { encodePlacement, HEADERS, readPlacement } from "../../../../src/protocol/index.ts";

const BALLOT = {
  id: "01J9Z3V8K4M5N6P7Q8R9S0T1U2",
  capability: "review",
  priority: "high",
  scope: "-",
  encoding: "json",
  storedAtMs: 1,
  openedAtMs: 2,
  task: JSON.stringify({ timeoutMs: 1_000 }),
  core: "{}",
  bytes: 500,
} as const;

test.each([
  [undefined, "seat 1 of 64"],
  ["default", "judge"],
  ["gpu", "verifier"],
])(
  "the placement of a question to a host of class %s is written as every placement is",
  (ofHost, addressee) => {
    const at = { host: "host-1", agent: "a_1", placedAt: "2026-01-31T12:00:00.000Z" };
    const headers = new QuestionForm(BALLOT).headers("vote", {
      ...at,
      class: ofHost,
      addressee,
      isAgain: false,
    });
    const placement = {
      ...(ofHost === "gpu" ? { class: ofHost } : {}),
      host: at.host,
      agent: at.agent,
      score: 0,
      reasons: [{ what: "ballot", value: addressee }],
      capability: "vote",
      priority: BALLOT.priority,
      placedAt: at.placedAt,
    };
    expect(headers[HEADERS.placement]).toBe(encodePlacement(placement));
    expect(readPlacement(headers[HEADERS.placement])).toEqual(placement);
  },
);
