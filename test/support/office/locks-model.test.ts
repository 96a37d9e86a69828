import { expect, test } from "vitest";
import { checkLinearizable, type Operation } from "../linearizability.ts";
import { type LockInput, type LockOutput, lockModel } from "./locks-model.ts";

type Event = Operation<LockInput, LockOutput>;
const step = (input: LockInput, output: LockOutput | undefined, calledAt: number): Event => ({
  input,
  output,
  calledAt,
  returnedAt: calledAt + 1,
});
const acquire = (owner: string, token: number | undefined, at: number) =>
  step({ type: "acquire", owner }, token === undefined ? undefined : { type: "acquired", token }, at);
const refused = (owner: string, by: string, at: number) =>
  step({ type: "acquire", owner }, { type: "held", by }, at);
const release = (owner: string, token: number, type: "released" | "not-held" | undefined, at: number) =>
  step({ type: "release", owner, token }, type === undefined ? undefined : { type }, at);
const look = (owner: string | null, token: number, at: number) =>
  step({ type: "look" }, { type: "seen", owner, token }, at);

test.each<[string, "linearizable" | "violated", Event[]]>([
  [
    "acquire, refuse, release, acquire again",
    "linearizable",
    [acquire("x", 1, 0), refused("y", "x", 2), release("x", 1, "released", 4), acquire("y", 2, 6)],
  ],
  [
    "a holder that acquires again and gets the same token",
    "linearizable",
    [acquire("x", 1, 0), acquire("x", 1, 2), look("x", 1, 4)],
  ],
  ["two holders at a time", "violated", [acquire("x", 1, 0), acquire("y", 2, 2)]],
  [
    "a token lower than an earlier one",
    "violated",
    [acquire("x", 2, 0), release("x", 2, "released", 2), acquire("y", 1, 4)],
  ],
  ["a refusal that names a holder of a free lock", "violated", [refused("y", "x", 0)]],
  [
    "a release that is refused to the holder",
    "violated",
    [acquire("x", 1, 0), release("x", 1, "not-held", 2)],
  ],
  [
    "a second release of the same lease",
    "violated",
    [acquire("x", 1, 0), release("x", 1, "released", 2), release("x", 1, "released", 4)],
  ],
  [
    "a look that shows a former holder",
    "violated",
    [acquire("x", 1, 0), release("x", 1, "released", 2), look("x", 1, 4)],
  ],
  [
    "an unanswered acquisition that took effect",
    "linearizable",
    [acquire("x", undefined, 0), refused("y", "x", 2), acquire("x", 5, 4)],
  ],
  [
    "an unanswered acquisition that did not take effect",
    "linearizable",
    [acquire("x", undefined, 0), acquire("y", 1, 2)],
  ],
  [
    "an unanswered release that took effect late",
    "linearizable",
    [acquire("x", 1, 0), release("x", 1, undefined, 2), refused("y", "x", 4), acquire("y", 2, 6)],
  ],
  [
    "a token that changes during a lease",
    "violated",
    [acquire("x", undefined, 0), acquire("x", 5, 4), look("x", 6, 6)],
  ],
])("%s: %s", (_title, verdict, history) => {
  expect(checkLinearizable(history, { model: lockModel }).type).toBe(verdict);
});
