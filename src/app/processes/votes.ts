// Signs the votes of this process's agents, each with a key of its own. consensus/ballot/votes.ts defines the signed bytes.
import { randomBytes } from "node:crypto";
import type { VotePort } from "../../agent/index.ts";
import { hashValue, readAnswer, signVote, voteKeyOf } from "../../consensus/index.ts";

/** Makes keys from random seeds. A key lives as long as its process; a restarted agent has a new id and a new key. */
export function createVotes(): VotePort {
  return {
    createKey() {
      const seed = randomBytes(32);
      const { publicKey } = voteKeyOf(seed);
      return {
        publicKey,
        sign({ ballot, round, nonce, seat, pointer, normalise }, output) {
          if (nonce === undefined) return undefined;
          // The value as the coordinator will read it: through JSON, at the pointer, normalised. The coordinator checks its bounds.
          const plain: unknown = output === undefined ? undefined : JSON.parse(JSON.stringify(output));
          const reading = readAnswer(plain, {
            strategy: "first",
            seats: 1,
            pointer,
            ...(normalise === undefined ? {} : { normalise }),
          });
          if (!reading.ok) return undefined;
          const hash = hashValue(reading.value);
          // The private key is made only for a vote: most agents never vote, and a process may have thousands of agents.
          return signVote({ ballot, round, nonce, seat, hash }, voteKeyOf(seed).privateKey);
        },
      };
    },
  };
}
