// Chooses the member that takes the office over when its holder hands it over. Pure.
import type { Member } from "../../consensus/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";
import { ELECTION_TIMES, LOG_TICK_MS } from "../time.ts";

/**
 * The successor `to`, or by default the member that has read furthest among the members that were heard in the last election
 * timeout and take part in elections.
 * @throws SwarmError `invalid_input` for the own id or an unknown id; `unavailable` when no other member was heard, and with
 *   `retryAfterMs` when each possible successor has just started: it ignores elections for a moment (I3 of the election), and a
 *   transfer to it would only keep commands waiting.
 */
export function chooseSuccessor(
  election: Member<OfficeState, OfficeCommand>["election"],
  { id, members, to }: { id: string; members: readonly string[]; to: string | undefined },
): string {
  if (to !== undefined) {
    if (to !== id && members.includes(to)) {
      if (election.contacts.get(to)?.abstains === true) throw justStarted(to);
      return to;
    }
    const others = members.filter((member) => member !== id).join(", ") || "none";
    throw new SwarmError("invalid_input", `to must be another member; there are: ${others}; got ${to}`, {
      field: "to",
    });
  }
  const heard = [...election.contacts]
    .filter(([, { heardAtTick }]) => election.nowTick - heardAtTick < ELECTION_TIMES.electionTicks)
    .sort(([, one], [, other]) => other.seq - one.seq);
  const furthest = heard.find(([, { abstains }]) => !abstains);
  if (furthest !== undefined) return furthest[0];
  if (heard[0] !== undefined) throw justStarted(heard[0][0]);
  throw new SwarmError("unavailable", "no other coordinator answers: no member can take the office over");
}

function justStarted(member: string): SwarmError {
  return new SwarmError(
    "unavailable",
    `${member} has just started and cannot take the office yet: ask again`,
    {
      retryAfterMs: LOG_TICK_MS,
    },
  );
}
