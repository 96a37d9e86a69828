// Chooses the member that takes the office over when its holder hands it over. Pure.
import type { Member } from "../../consensus/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";
import { ELECTION_TIMES } from "../time.ts";

/**
 * The successor `to`, or by default the member that has read furthest among the members heard in the last election timeout.
 * @throws SwarmError `invalid_input` for the own id or an unknown id; `unavailable` when no other member was heard.
 */
export function chooseSuccessor(
  election: Member<OfficeState, OfficeCommand>["election"],
  { id, members, to }: { id: string; members: readonly string[]; to: string | undefined },
): string {
  if (to !== undefined) {
    if (to !== id && members.includes(to)) return to;
    const others = members.filter((member) => member !== id).join(", ") || "none";
    throw new SwarmError("invalid_input", `to must be another member; there are: ${others}; got ${to}`, {
      field: "to",
    });
  }
  const [furthest] = [...election.contacts]
    .filter(([, { heardAtTick }]) => election.nowTick - heardAtTick < ELECTION_TIMES.electionTicks)
    .sort(([, one], [, other]) => other.seq - one.seq);
  if (furthest !== undefined) return furthest[0];
  throw new SwarmError("unavailable", "no other coordinator answers: no member can take the office over");
}
