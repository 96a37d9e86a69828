// The status of the office, for `office status` and `GET /v1/office`: a confirmed leader, or none.
import { z } from "zod";
import type { OfficeClient, TenureReply } from "../../coordinator/index.ts";
import { COORDINATOR_ROLES, type CoordinatorStatus, SwarmError } from "../../protocol/index.ts";

const memberSchema = z.object({
  id: z.string(),
  /** Null for a member that does not answer. */
  host: z.string().nullable(),
  pid: z.int().nullable(),
  role: z.enum([...COORDINATOR_ROLES, "silent"]),
  appliedSeq: z.int().nullable(),
  /** Entries of the log that the member has not applied; null when unknown. */
  lag: z.int().nullable(),
});

/** The status. Without a leader that the control log has just confirmed, every field but the members is null. */
export const officeStatusSchema = z.object({
  leader: z.string().nullable(),
  leaderPid: z.int().nullable(),
  term: z.int().nullable(),
  since: z.string().nullable(),
  members: z.array(memberSchema),
  logSeq: z.int().nullable(),
});
/** The status of the office. */
export type OfficeStatus = z.output<typeof officeStatusSchema>;

/** Asks the holder of the office for a proof, for at most `timeoutMs`, and all coordinators for their own status. */
export async function readOfficeStatus(
  office: OfficeClient,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<OfficeStatus> {
  const proof = office.tenure(options).catch((error: unknown) => {
    if (error instanceof SwarmError && error.code === "unavailable") return null;
    throw error;
  });
  // Without a proof the whole time is used up, so the answer to a roll call must be there by then. With one, the members are
  // asked after it: the proof is an entry of the log, and a member that is asked before has not applied it.
  const early = office.listCoordinators();
  early.catch(() => undefined);
  const tenure = await proof;
  return describeOffice(tenure, tenure === null ? await early : await office.listCoordinators());
}

function describeOffice(tenure: TenureReply | null, seen: readonly CoordinatorStatus[]): OfficeStatus {
  if (tenure === null) {
    const members = seen.map((each) => toMember(each, { leader: null, logSeq: null }));
    return { leader: null, leaderPid: null, term: null, since: null, members, logSeq: null };
  }
  const silent = tenure.members
    .filter((id) => !seen.some((each) => each.id === id))
    .map((id) => ({ id, host: null, pid: null, role: "silent" as const, appliedSeq: null, lag: null }));
  const { leader, leaderPid, term, since, logSeq } = tenure;
  const members = [...seen.map((each) => toMember(each, tenure)), ...silent];
  return { leader, leaderPid, term, since, members: members.sort((a, b) => (a.id < b.id ? -1 : 1)), logSeq };
}

/** A member may still believe that it leads after another took over. Only the confirmed leader is shown as the leader. */
function toMember(
  { id, host, pid, role, appliedSeq }: CoordinatorStatus,
  { leader, logSeq }: { leader: string | null; logSeq: number | null },
): z.output<typeof memberSchema> {
  return {
    id,
    host,
    pid,
    role: role === "leader" && id !== leader ? "candidate" : role,
    appliedSeq,
    lag: logSeq === null ? null : Math.max(0, logSeq - appliedSeq),
  };
}
