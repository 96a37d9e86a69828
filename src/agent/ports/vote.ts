// How an agent's votes are signed: the port that the app wires to the code that knows what is signed.
import type { SeatQuestion, SignedVote } from "../../protocol/index.ts";

/** The key of one agent, from its start to its end. The secret half never leaves it. */
export interface AgentVoteKey {
  /** Ed25519, 32 bytes as base64url: what the registry verifies its votes with. */
  readonly publicKey: string;
  /** Signs the output as the answer to a question that asks for it; undefined when nothing in it can be signed. */
  sign(question: SeatQuestion, output: unknown): SignedVote | undefined;
}

/** Makes keys. */
export interface VotePort {
  createKey(): AgentVoteKey;
}
