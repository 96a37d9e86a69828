// The port that signs an agent's votes. The app connects it to the code that knows which bytes are signed.
import type { SeatQuestion, SignedVote } from "../../protocol/index.ts";

/** The key pair of one agent, from its start to its end. The secret half never leaves this object. */
export interface AgentVoteKey {
  /** The public key, Ed25519, 32 bytes as base64url. The registry keeps it to verify the agent's votes. */
  readonly publicKey: string;
  /** Signs the output as the answer to a question; undefined when the question or the output allows no signed vote. */
  sign(question: SeatQuestion, output: unknown): SignedVote | undefined;
}

/** Creates the keys that sign votes. */
export interface VotePort {
  createKey(): AgentVoteKey;
}
