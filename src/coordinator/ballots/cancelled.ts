// Whether somebody cancelled a ballot while its coordinator did not listen: who cancels leaves a mark or a result.
import { createSubjects } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { isScopeMarked } from "../../work/index.ts";
import type { OpenBallot } from "./state/ballots.ts";

/** True when its scope was cancelled, or its task has a result. @throws SwarmError `unavailable`. */
export async function wasCancelled(transport: Transport, { id, scope }: OpenBallot): Promise<boolean> {
  if (await isScopeMarked(transport, scope)) return true;
  const { filters } = createSubjects(transport.prefix);
  return (await transport.log("results").last(filters.resultById(id))) !== null;
}
