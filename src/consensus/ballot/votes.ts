// The signed votes of a `bft` ballot. Owns the signed bytes, the checks that admit a vote, and the evidence of refused
// votes. tally.ts counts the admitted votes; ballot.ts starts and ends rounds. Pure.
//
// V1  A vote counts only for the seat whose registered key signed it, and only for this ballot, round and nonce.
// V2  A seat counts at most once in a round. Two different signed votes of a seat are kept as evidence, and neither
//     counts.
// V3  Only votes signed with a seat's own key are evidence against the seat, because any sender can forge a vote in its
//     name.

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

/** The statement of a vote: this seat gives the value with this hash in this round of this ballot. */
export type VoteStatement = Omit<SignedVote, "signature">;

/** The domain of vote signatures, so that a signature never fits another kind of message. The number is the version. */
const VOTE_DOMAIN = "murmur-vote-1";

/** The PKCS #8 header of an Ed25519 key (RFC 8410 §7); the 32 bytes of the seed follow. */
const PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** A key that signs votes, with its public half as the registry stores it: 32 bytes as base64url. */
export interface VoteKey {
  readonly privateKey: KeyObject;
  readonly publicKey: string;
}

/** The key of a secret seed of 32 bytes (RFC 8032 §5.1.5). Every process that knows the seed can vote as the agent. */
export function voteKeyOf(seed: Uint8Array): VoteKey {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PRIVATE_KEY_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  return { privateKey, publicKey: createPublicKey(privateKey).export({ format: "jwk" }).x! };
}

/** The signed bytes: the domain, a line feed, and the statement as canonical JSON, all UTF-8. */
export function voteBytes({ ballot, round, nonce, seat, hash }: VoteStatement): Buffer {
  return Buffer.from(`${VOTE_DOMAIN}\n${canonicalJson({ ballot, round, nonce, seat, hash })}`);
}

/** Signs a vote (Ed25519, RFC 8032). */
export function signVote(statement: VoteStatement, privateKey: KeyObject): SignedVote {
  const { ballot, round, nonce, seat, hash } = statement;
  const signature = sign(null, voteBytes(statement), privateKey).toString("base64url");
  return { ballot, round, nonce, seat, hash, signature };
}

/** Whether the vote has a valid signature for this public key. An invalid key verifies no vote. */
export function verifyVote(vote: SignedVote, publicKey: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
    return verify(null, voteBytes(vote), key, Buffer.from(vote.signature, "base64url"));
  } catch {
    return false;
  }
}

/**
 * The nonce of a round, derived from the secret nonce of the ballot. So a seat cannot make a vote before the round
 * starts, and a vote for an earlier ballot with the same id is invalid.
 */
export function nonceOf(ballotNonce: string, round: number): string {
  return sha256(`murmur-nonce-1\n${ballotNonce}\n${round}`);
}

/** The round that a vote is checked against. */
export interface VoteRound {
  readonly ballot: string;
  readonly round: number;
  /** The nonces of the rounds so far, this one included. The index is round − 1. */
  readonly nonces: readonly string[];
  readonly endsAtMs: number;
  /** Registered keys by seat. */
  readonly keys: ReadonlyMap<number, string>;
  /** The admitted votes of this round, by seat. */
  readonly votes: ReadonlyMap<number, SignedVote>;
}

/** The result of checking a vote. `repeated`: the same vote was admitted before. */
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
 * Admits or refuses the vote that arrived with a value as the answer of `seat`. It finds two contradicting votes of one
 * round even if the second vote arrives after `endsAtMs`; the fault `double` carries both votes.
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
    return refuse("forged", "the signature does not match the seat's registered key");
  if (signed.ballot !== round.ballot) return refuse("replayed", `the vote is for ballot ${signed.ballot}`);
  if (signed.nonce !== round.nonces[signed.round - 1])
    return refuse("replayed", "the vote has the nonce of another round or ballot");
  if (signed.seat !== seat)
    return refuse("forged", `the vote arrived as the answer of seat ${seat}, but is for seat ${signed.seat}`);
  if (signed.round !== round.round)
    return refuse("late", `the vote is for round ${signed.round}; the ballot is in round ${round.round}`);
  const before = round.votes.get(seat);
  if (before !== undefined && before.hash !== signed.hash) {
    return refuse("double", "the seat signed two different values in one round", [before, signed]);
  }
  if (signed.hash !== hashValue(value))
    return refuse("forged", "the signed hash is not the hash of the value in the answer");
  if (before !== undefined) return { kind: "repeated", vote: before };
  if (atMs >= round.endsAtMs) return refuse("late", "the vote arrived after the end of the round");
  return { kind: "admitted", vote: signed };
}
