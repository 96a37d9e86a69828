// Wires agents' votes to what is signed (consensus/votes.ts): each agent of this process gets a key of its own.
import { randomBytes } from "node:crypto";
import type { VotePort } from "../../agent/index.ts";
import { hashValue, readAnswer, signVote, voteKeyOf } from "../../consensus/index.ts";

/** Makes keys from random seeds. They live as long as their process; a restarted agent is a new one with a new key. */
export function createVotes(): VotePort {
  return {
    createKey() {
      const seed = randomBytes(32);
      const { publicKey } = voteKeyOf(seed);
      return {
        publicKey,
        sign({ ballot, round, nonce, seat, pointer, normalise }, output) {
          if (nonce === undefined) return undefined;
          // As it will be read: through JSON, at the pointer, normalised. Its bounds are the coordinator's business.
          const plain: unknown = output === undefined ? undefined : JSON.parse(JSON.stringify(output));
          const reading = readAnswer(plain, {
            strategy: "first",
            seats: 1,
            pointer,
            ...(normalise === undefined ? {} : { normalise }),
          });
          if (!reading.ok) return undefined;
          const hash = hashValue(reading.value);
          // The private half is made when it is needed: most agents never vote, and a process may hold thousands.
          return signVote({ ballot, round, nonce, seat, hash }, voteKeyOf(seed).privateKey);
        },
      };
    },
  };
}
