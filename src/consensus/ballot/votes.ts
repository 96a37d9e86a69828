// Signed votes of a `bft` ballot: what is signed, and which votes are admitted. Owns the bytes, the checks and the evidence
// of what was refused; which admitted votes decide is tally.ts, when a round begins and ends is ballot.ts.
//
// V1  A vote counts only for the seat whose registered key signed it, and only for this ballot, round and nonce.
// V2  A seat counts at most once in a round. Two different signed votes of it are kept as evidence, and neither counts.
// V3  Only what a seat's own key signed is held against the seat: anybody can send a forgery in its name.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import {
  canonicalJson,
  type Json,
  type SignedVote,
  sha256,
  signedVoteSchema,
  type VoteFault,
} from "../../protocol/index.ts";
import { hashValue } from "../tally/answer.ts";

/** What a vote says: that this seat gives the value with this hash in this round of this ballot. */
export type VoteStatement = Omit<SignedVote, "signature">;

/** Keeps a signature over a vote from ever meaning anything else (and the number makes room for another form). */
const VOTE_DOMAIN = "murmur-vote-1";

/** PKCS #8 of an Ed25519 seed (RFC 8410 §7), up to the 32 bytes of the seed. */
const PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** A key that signs votes, and the public half as it is registered: 32 bytes as base64url. */
export interface VoteKey {
  readonly privateKey: KeyObject;
  readonly publicKey: string;
}

/** The key of a secret seed of 32 bytes (RFC 8032 §5.1.5). Whoever knows the seed can vote in the agent's name. */
export function voteKeyOf(seed: Uint8Array): VoteKey {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PRIVATE_KEY_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  return { privateKey, publicKey: createPublicKey(privateKey).export({ format: "jwk" }).x! };
}

/** The bytes that are signed: the domain, a line feed, and the statement as canonical JSON, all UTF-8. */
export function voteBytes({ ballot, round, nonce, seat, hash }: VoteStatement): Buffer {
  return Buffer.from(`${VOTE_DOMAIN}\n${canonicalJson({ ballot, round, nonce, seat, hash })}`);
}

/** Signs a vote (Ed25519, RFC 8032). */
export function signVote(statement: VoteStatement, privateKey: KeyObject): SignedVote {
  const { ballot, round, nonce, seat, hash } = statement;
  const signature = sign(null, voteBytes(statement), privateKey).toString("base64url");
  return { ballot, round, nonce, seat, hash, signature };
}

/** Whether the vote carries the signature of this public key. A key that is none verifies nothing. */
export function verifyVote(vote: SignedVote, publicKey: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
    return verify(null, voteBytes(vote), key, Buffer.from(vote.signature, "base64url"));
  } catch {
    return false;
  }
}

/**
 * The nonce of a round, from the ballot's own, which no seat is told: so a vote cannot be made before its round begins, and
 * one for an earlier ballot of the same id is worth nothing.
 */
export function nonceOf(ballotNonce: string, round: number): string {
  return sha256(`murmur-nonce-1\n${ballotNonce}\n${round}`);
}

/** The round that votes are admitted to. */
export interface VoteRound {
  readonly ballot: string;
  readonly round: number;
  /** The nonces of this round and of those before it, by round − 1. */
  readonly nonces: readonly string[];
  readonly endsAtMs: number;
  /** Registered keys by seat. */
  readonly keys: ReadonlyMap<number, string>;
  /** What each seat's admitted vote of this round was. */
  readonly votes: ReadonlyMap<number, SignedVote>;
}

/** What becomes of a vote. `repeated`: the very same was admitted before. */
export type Admission =
  | { readonly kind: "admitted" | "repeated"; readonly vote: SignedVote }
  | {
      readonly kind: "refused";
      readonly fault: VoteFault;
      readonly reason: string;
      readonly votes: SignedVote[];
    }
  | { readonly kind: "missing"; readonly reason: string };

/**
 * Admits or refuses the vote that came with a value as the answer of `seat`. An equivocation is found even when its second
 * half is late. `double` carries both votes.
 */
export function admitVote(
  round: VoteRound,
  { seat, value, vote, atMs }: { seat: number; value: Json; vote: unknown; atMs: number },
): Admission {
  const parsed = signedVoteSchema.safeParse(vote);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".") ?? "";
    return {
      kind: "missing",
      reason: vote === undefined ? "no signed vote" : `no proper signed vote (${field})`,
    };
  }
  const signed = parsed.data;
  const refuse = (fault: VoteFault, reason: string, votes = [signed]): Admission => ({
    kind: "refused",
    fault,
    reason,
    votes,
  });
  const key = round.keys.get(seat);
  if (key === undefined) return refuse("unregistered", `seat ${seat} has no registered key in this ballot`);
  if (!verifyVote(signed, key))
    return refuse("forged", "the signature is not that of the seat's registered key");
  if (signed.ballot !== round.ballot) return refuse("replayed", `is for ballot ${signed.ballot}`);
  if (signed.nonce !== round.nonces[signed.round - 1])
    return refuse("replayed", "has the nonce of another round or ballot");
  if (signed.seat !== seat)
    return refuse("forged", `came as the answer of seat ${seat}, but is for seat ${signed.seat}`);
  if (signed.round !== round.round)
    return refuse("late", `is for round ${signed.round}; it is round ${round.round}`);
  const before = round.votes.get(seat);
  if (before !== undefined && before.hash !== signed.hash) {
    return refuse("double", "the seat signed two different values in one round", [before, signed]);
  }
  if (signed.hash !== hashValue(value))
    return refuse("forged", "the signed hash is not that of the value it came with");
  if (before !== undefined) return { kind: "repeated", vote: before };
  if (atMs >= round.endsAtMs) return refuse("late", "came after the end of the round");
  return { kind: "admitted", vote: signed };
}
