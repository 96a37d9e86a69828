import { createHash, createPublicKey, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { integerBetween, seededChance } from "../../../src/base/index.ts";
import { hashValue, signVote, voteKeyOf } from "../../../src/consensus/index.ts";
import {
  admitVote,
  byzantineQuorumOf,
  faultyOf,
  nonceOf,
  type VoteRound,
  type VoteStatement,
  verifyVote,
  voteBytes,
} from "../../../src/consensus/internal.ts";
import type { Json, SignedVote } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { driveBallot, keyOf, PATIENT } from "./support.ts";

const NONCE = nonceOf("secret", 2);

/** A cache of signed votes: the seeded runs cast equal votes many thousand times. */
const signed = new Map<string, SignedVote>();

/** A vote of the second round of ballot b1. */
function voteOf(seat: number, value: Json, more: Partial<VoteStatement> = {}, signer = seat): SignedVote {
  const statement = { ballot: "b1", round: 2, nonce: NONCE, seat, hash: hashValue(value), ...more };
  const name = JSON.stringify([statement, signer]);
  const vote = signed.get(name) ?? signVote(statement, keyOf(signer).privateKey);
  signed.set(name, vote);
  return vote;
}

function roundOf(...votes: SignedVote[]): VoteRound {
  return {
    ballot: "b1",
    round: 2,
    nonces: [nonceOf("secret", 1), NONCE],
    endsAtMs: 100,
    keys: new Map([1, 2, 3, 4].map((seat) => [seat, keyOf(seat).publicKey])),
    votes: new Map(votes.map((vote) => [vote.seat, vote])),
  };
}

const admit = (vote: unknown, value: Json = "yes", seat = 1, atMs = 1, round = roundOf()) =>
  admitVote(round, { seat, value, vote, atMs });

describe("a signed vote", () => {
  it("signs exactly these bytes, which any Ed25519 library can make", () => {
    const vote = voteOf(1, "yes");
    const text = `murmur-vote-1\n{"ballot":"b1","hash":"${hashValue("yes")}","nonce":"${NONCE}","round":2,"seat":1}`;
    expect(voteBytes(vote).toString()).toBe(text);
    expect(hashValue("yes")).toBe(createHash("sha256").update('"yes"').digest("hex"));
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: keyOf(1).publicKey },
      format: "jwk",
    });
    expect(verify(null, Buffer.from(text), key, Buffer.from(vote.signature, "base64url"))).toBe(true);
  });

  it("has the key of RFC 8032 §7.1, test 1", () => {
    const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
    expect(Buffer.from(voteKeyOf(seed).publicKey, "base64url").toString("hex")).toBe(
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
  });

  it.each(["ballot", "round", "nonce", "seat", "hash"] as const)(
    "does not verify with another %s",
    (field) => {
      const vote = voteOf(1, "yes");
      const other = { ballot: "b2", round: 1, nonce: "0".repeat(64), seat: 2, hash: "0".repeat(64) };
      expect(verifyVote(vote, keyOf(1).publicKey)).toBe(true);
      expect(verifyVote({ ...vote, [field]: other[field] }, keyOf(1).publicKey)).toBe(false);
    },
  );

  it.each(["", "not a key", "A".repeat(43), keyOf(2).publicKey])("does not verify with the key %j", (key) => {
    expect(verifyVote(voteOf(1, "yes"), key)).toBe(false);
  });

  it("has another nonce in every round and ballot", () => {
    expect(new Set([nonceOf("x", 1), nonceOf("x", 2), nonceOf("y", 1)]).size).toBe(3);
  });
});

describe("admission", () => {
  it("admits a vote once, and recognises its repetition", () => {
    const vote = voteOf(1, "yes");
    expect(admit(vote)).toEqual({ kind: "admitted", vote });
    expect(admit(vote, "yes", 1, 1, roundOf(vote))).toEqual({ kind: "repeated", vote });
  });

  it.each<[string, SignedVote, { value?: Json; seat?: number; atMs?: number }]>([
    ["forged", voteOf(1, "yes", {}, 2), {}],
    ["forged", { ...voteOf(1, "yes"), hash: hashValue("no") }, { value: "no" }],
    ["forged", voteOf(1, "no"), { value: "yes" }],
    ["forged", voteOf(2, "yes"), { seat: 1 }],
    ["replayed", voteOf(1, "yes", { ballot: "b0" }), {}],
    ["replayed", voteOf(1, "yes", { nonce: nonceOf("old secret", 2) }), {}],
    ["replayed", voteOf(1, "yes", { nonce: nonceOf("secret", 1) }), {}],
    ["replayed", voteOf(1, "yes", { round: 3, nonce: nonceOf("secret", 3) }), {}],
    ["late", voteOf(1, "yes", { round: 1, nonce: nonceOf("secret", 1) }), {}],
    ["late", voteOf(1, "yes"), { atMs: 100 }],
    ["unregistered", voteOf(9, "yes"), { seat: 9 }],
  ])("refuses a vote with the fault %s, and keeps it as evidence", (fault, vote, { value, seat, atMs }) => {
    expect(admit(vote, value, seat, atMs)).toMatchObject({ kind: "refused", fault, votes: [vote] });
  });

  it("keeps both contradicting votes of a seat, even if the second arrives late", () => {
    const [yes, no] = [voteOf(1, "yes"), voteOf(1, "no")];
    for (const atMs of [1, 1_000]) {
      const refused = admit(no, "no", 1, atMs, roundOf(yes));
      expect(refused).toMatchObject({ kind: "refused", fault: "double", votes: [yes, no] });
    }
  });

  it("does not count a forgery against the seat, because any sender can forge a vote", () => {
    const refused = admit(voteOf(1, "no", {}, 3), "no", 1, 1, roundOf(voteOf(1, "yes")));
    expect(refused).toMatchObject({ kind: "refused", fault: "forged" });
  });

  it.each([
    undefined,
    null,
    "signed",
    {},
    { ...voteOf(1, "yes"), signature: "short" },
    { ...voteOf(1, "yes"), more: 1 },
  ])("finds no vote in %#", (vote) => {
    expect(admit(vote)).toMatchObject({ kind: "missing" });
  });
});

type Sent = { seat: number; value: Json; vote: SignedVote };
const LIES = ["wrong value", "equivocation", "forged seat", "silence", "replay"] as const;

/** The votes of a liar: for its own seat, for another seat, two different ones, from another ballot, or none. */
function lie(kind: (typeof LIES)[number], seat: number, victim: number, nonce: string): Sent[] {
  const sent = (value: Json, more: Partial<VoteStatement> = {}): Sent => ({
    seat: more.seat ?? seat,
    value,
    vote: voteOf(seat, value, { round: 1, nonce, ...more }, seat),
  });
  switch (kind) {
    case "wrong value":
      return [sent("wrong")];
    case "equivocation":
      return [sent("wrong"), sent("right")];
    case "forged seat":
      return [sent("wrong"), sent("wrong", { seat: victim })];
    case "silence":
      return [];
    case "replay":
      return [sent("wrong", { nonce: nonceOf("an earlier ballot", 1) }), sent("wrong", { ballot: "b0" })];
    default:
      return kind satisfies never;
  }
}

/** Runs one ballot with so many liars. The seed sets the order of all votes. */
function runBallot(
  seats: number,
  liars: number,
  seed: number,
  kinds: readonly (typeof LIES)[number][] = LIES,
  honestSilence = 0,
) {
  const chance = seededChance(seed);
  const drive = driveBallot({ seats, strategy: "bft", timeoutMs: 1_000 });
  const nonce = drive.asked(1)!.nonce!;
  const order = shuffle(
    Array.from({ length: seats }, (_, index) => index + 1),
    chance,
  );
  const lying = new Set(order.slice(0, liars));
  const victims = order.slice(liars);
  const sent = order.flatMap((seat): Sent[] => {
    if (!lying.has(seat)) {
      if (chance.next() < honestSilence) return [];
      return [{ seat, value: "right", vote: voteOf(seat, "right", { round: 1, nonce }) }];
    }
    const kind = kinds[integerBetween(chance, 0, kinds.length - 1)]!;
    return lie(kind, seat, victims[integerBetween(chance, 0, victims.length - 1)]!, nonce);
  });
  for (const { seat, value, vote } of shuffle(sent, chance)) {
    drive.step({ type: "answer", seat, round: 1, output: value, vote, atMs: 1 });
  }
  drive.tick(1_000);
  return { drive, lying, verdict: drive.closed()!.verdict };
}

function shuffle<T>(items: readonly T[], chance: ReturnType<typeof seededChance>): T[] {
  const left = [...items];
  return items.map(() => left.splice(integerBetween(chance, 0, left.length - 1), 1)[0]!);
}

/** The seeded runs of one test. */
const BFT_RUNS = scaled(80, 1_000);

describe.each([4, 7, 10])("bft of %i seats", PATIENT, (seats) => {
  const liars = faultyOf(seats);

  it(`with ${liars} liars decides for the honest value or not at all, in ${BFT_RUNS} seeded runs`, () => {
    const outcomes = new Map<string, number>();
    for (let seed = 1; seed <= BFT_RUNS; seed += 1) {
      const crashes = seed % 2 === 0;
      const { verdict, lying } = runBallot(seats, liars, seed, LIES, crashes ? 0.2 : 0);
      const ending = verdict.outcome === "decided" ? `decided ${verdict.value}` : verdict.outcome;
      const outcome = crashes ? `crashes: ${ending}` : ending;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      // Evidence of a double vote always names a liar.
      for (const { kind, seat } of verdict.evidence ?? [])
        if (kind === "double") expect(lying).toContain(seat);
    }
    // In every second run honest seats crash too. In the other runs the honest seats are enough for a decision.
    expect([...outcomes.keys()].sort()).toEqual([
      "crashes: decided right",
      "crashes: no_quorum",
      "decided right",
    ]);
    expect(outcomes.get("decided right")).toBe(BFT_RUNS / 2);
  });

  it(`with ${liars + 1} liars may not decide, but never decides for a lie`, () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= BFT_RUNS / 5; seed += 1) {
      const { verdict } = runBallot(seats, liars + 1, seed, ["wrong value", "silence"]);
      outcomes.add(verdict.outcome === "decided" ? `decided ${verdict.value}` : verdict.outcome);
    }
    expect([...outcomes].filter((outcome) => outcome.startsWith("decided"))).toEqual([]);
    expect(outcomes).toContain("no_quorum");
  });

  it(`decides for a lie only with ${byzantineQuorumOf(seats)} colluders`, () => {
    const colluders = byzantineQuorumOf(seats);
    expect(runBallot(seats, colluders - 1, 1, ["wrong value"]).verdict.outcome).not.toBe("decided");
    expect(runBallot(seats, colluders, 1, ["wrong value"]).verdict.value).toBe("wrong");
  });

  it("two deciders with different votes never contradict each other with f double voters, but can with f + 1", () => {
    const decide = (values: Json[]) => {
      const drive = driveBallot({ seats, strategy: "bft", timeoutMs: 1_000 });
      const nonce = drive.asked(1)!.nonce!;
      for (const [index, value] of values.entries()) {
        const vote = voteOf(index + 1, value, { round: 1, nonce });
        drive.step({ type: "answer", seat: index + 1, round: 1, output: value, vote, atMs: 1 });
      }
      drive.tick(1_000);
      return drive.closed()!.verdict.value;
    };
    const heard = (equivocators: number) => {
      // The honest seats have two opinions. The double voters send each decider a different value.
      const honest = seats - equivocators;
      const half = Math.ceil(honest / 2);
      const opinions = [...new Array<Json>(half).fill("A"), ...new Array<Json>(honest - half).fill("B")];
      return ["A", "B"].map((liked) => decide([...opinions, ...new Array<Json>(equivocators).fill(liked)]));
    };
    expect(heard(liars)).not.toEqual(["A", "B"]);
    expect(heard(liars + 1)).toEqual(["A", "B"]);
  });
});

describe("evidence", () => {
  it("is reported at once and in the verdict, and the double voter does not count", () => {
    const drive = driveBallot({ seats: 4, strategy: "bft", timeoutMs: 1_000 });
    const nonce = drive.asked(1)!.nonce!;
    const send = (seat: number, value: Json) =>
      drive.step({
        type: "answer",
        seat,
        round: 1,
        output: value,
        vote: voteOf(seat, value, { round: 1, nonce }),
        atMs: 1,
      });
    send(1, "wrong");
    expect(send(1, "right")).toMatchObject([
      { type: "evidence", evidence: { kind: "double", seat: 1, agent: "agent-1" } },
    ]);
    send(1, "right"); // A later vote of a double voter is ignored.
    for (const seat of [2, 3, 4]) send(seat, "right");
    expect(drive.closed()?.verdict).toMatchObject({
      value: "right",
      abstained: 1,
      agreement: 0.75,
      evidence: [{ kind: "double", seat: 1, votes: [{ seat: 1 }, { seat: 1 }] }],
    });
    expect(drive.closed()?.verdict.seats[0]?.abstained).toBe("signed two different values in one round");
  });

  it("is bounded, and forgeries do not push out a double vote", () => {
    const drive = driveBallot({ seats: 4, strategy: "bft", timeoutMs: 1_000 });
    const nonce = drive.asked(1)!.nonce!;
    const send = (seat: number, value: Json, signer = seat) => {
      const vote = voteOf(seat, value, { round: 1, nonce }, signer);
      drive.step({ type: "answer", seat, round: 1, output: value, vote, atMs: 1 });
    };
    send(1, "a");
    for (let count = 0; count < 200; count += 1) send(2, `forged ${count}`, 3);
    send(1, "b");
    expect(drive.ballot.evidence.length).toBe(128);
    expect(drive.ballot.evidence.filter(({ kind }) => kind === "double").length).toBe(1);
    expect(drive.ballot.open).toContain(2); // A forgery in the name of a seat does not cost the seat its vote.
  });

  it("of a late vote is kept after the end of its round", () => {
    const drive = driveBallot({ seats: 4, strategy: "bft", onDisagreement: "debate", timeoutMs: 1_000 });
    const first = drive.asked(1)!.nonce!;
    const send = (seat: number, value: Json, atMs: number) =>
      drive.step({
        type: "answer",
        seat,
        round: 1,
        output: value,
        vote: voteOf(seat, value, { round: 1, nonce: first }),
        atMs,
      });
    for (const [seat, value] of ["a", "b", "c"].entries()) send(seat + 1, value, 1);
    drive.tick(500);
    expect(drive.ballot.round).toBe(2);
    expect(drive.asked(4)).toMatchObject({
      round: 2,
      answers: [{ value: "a" }, { value: "b" }, { value: "c" }],
    });
    expect(drive.asked(4)!.nonce).not.toBe(first);
    expect(send(4, "a", 501)).toMatchObject([{ type: "evidence", evidence: { kind: "late" } }]);
  });
});
