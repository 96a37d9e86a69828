// Who takes the office over when its holder gives it away. Pure.
import type { Member } from "../../consensus/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";
import { ELECTION_TIMES } from "../time.ts";

/**
 * The wanted successor, or the member that was heard last election timeout and has read furthest.
 * @throws SwarmError `invalid_input` for oneself or a stranger; `unavailable` when nobody else was heard.
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
  throw new SwarmError("unavailable", "no other coordinator answers: there is nobody to hand the office to");
}
