// `office …`: who decides for the swarm, and handing that over.
import { z } from "zod";
import { createOfficeClient, OFFICE_TIMEOUT_MS, type OfficeClient } from "../../coordinator/index.ts";
import { COORDINATOR_ROLES, type CoordinatorStatus, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { defineCommand, type Ports } from "../command.ts";
import { table } from "../terminal.ts";

/** The office of the session's swarm. */
export async function openOffice(ports: Ports): Promise<OfficeClient> {
  return createOfficeClient({ transport: await ports.transport() });
}

/** How long the session waits for the office, and what ends that. */
export function patience({ config, signal }: Ports): { timeoutMs: number; signal: AbortSignal } {
  return { timeoutMs: config.timeoutMs ?? OFFICE_TIMEOUT_MS, signal };
}

const memberSchema = z.object({
  id: z.string(),
  /** Null for a member that does not answer. */
  host: z.string().nullable(),
  pid: z.int().nullable(),
  role: z.enum([...COORDINATOR_ROLES, "silent"]),
  appliedSeq: z.int().nullable(),
  /** Entries of the log that it has not applied; null when that cannot be known. */
  lag: z.int().nullable(),
});

const statusSchema = z.object({
  leader: z.string().nullable(),
  leaderPid: z.int().nullable(),
  term: z.int().nullable(),
  since: z.string().nullable(),
  members: z.array(memberSchema),
  logSeq: z.int().nullable(),
});

const UNAVAILABLE = 3;

export const status = defineCommand({
  input: z.strictObject({}),
  output: statusSchema,
  examples: ["office status", "office status --json"],
  details:
    "The leader is named only when the control log has just confirmed it; otherwise it is null, and the exit code is 3.\nMembers tell themselves what they are; one that does not answer within 250 ms is silent.",
  async run(ports) {
    const office = await openOffice(ports);
    const tenure = await office.tenure(patience(ports)).catch((error: unknown) => {
      if (error instanceof SwarmError && error.code === "unavailable") return null;
      throw error;
    });
    const seen = await office.listCoordinators();
    if (tenure === null) {
      const members = seen.map((each) => toMember(each, { leader: null, logSeq: null }));
      return { leader: null, leaderPid: null, term: null, since: null, members, logSeq: null };
    }
    const silent = tenure.members
      .filter((id) => !seen.some((each) => each.id === id))
      .map((id) => ({ id, host: null, pid: null, role: "silent" as const, appliedSeq: null, lag: null }));
    const members = [...seen.map((each) => toMember(each, tenure)), ...silent];
    const { leader, leaderPid, term, since, logSeq } = tenure;
    return {
      leader,
      leaderPid,
      term,
      since,
      members: members.sort((a, b) => (a.id < b.id ? -1 : 1)),
      logSeq,
    };
  },
  exitCode: ({ leader }) => (leader === null ? UNAVAILABLE : 0),
  render: ({ leader, leaderPid, term, since, members, logSeq }) =>
    [
      leader === null
        ? "nobody is known to hold the office\n"
        : `leader  ${leader} (pid ${leaderPid})\nterm    ${term}, since ${since}\nlog     ${logSeq} entries\n`,
      table(
        ["ID", "ROLE", "APPLIED", "LAG", "PID", "HOST"],
        members.map(({ id, role, appliedSeq, lag, pid, host }) => [
          id,
          role,
          String(appliedSeq ?? "-"),
          String(lag ?? "-"),
          String(pid ?? "-"),
          host ?? "-",
        ]),
        "no coordinator answers; murmur up or murmur coordinator starts one",
      ),
    ].join("\n"),
});

/** A member may believe that it leads when it does not any more: the confirmed leader is the only one. */
function toMember(
  { id, host, pid, role, appliedSeq }: CoordinatorStatus,
  { leader, logSeq }: { leader: string | null; logSeq: number | null },
): z.output<typeof memberSchema> {
  const shown = role === "leader" && id !== leader ? "candidate" : role;
  return {
    id,
    host,
    pid,
    role: shown,
    appliedSeq,
    lag: logSeq === null ? null : Math.max(0, logSeq - appliedSeq),
  };
}

/** How long the successor is waited for: the holder gives a transfer up after its election timeout. */
const TRANSFER_TIMEOUT_MS = 2_000;

export const transfer = defineCommand({
  input: z.strictObject({
    to: tokenSchema
      .optional()
      .meta({ description: "who shall lead (default: who is furthest)", value: "ID" }),
  }),
  output: z.object({ from: z.string(), to: z.string(), term: z.int(), tookMs: z.number() }),
  examples: ["office transfer", "office transfer --to coordinator-2"],
  details:
    "Answers when the successor is confirmed by the control log. Commands wait meanwhile; none is lost.",
  async run(ports, input) {
    const office = await openOffice(ports);
    const startedMs = performance.now();
    const { from, term } = await office.transfer(input.to, patience(ports));
    while (performance.now() - startedMs < TRANSFER_TIMEOUT_MS) {
      const now = await office.tenure(patience(ports));
      const tookMs = Math.round(performance.now() - startedMs);
      if (now.term > term) return { from, to: now.leader, term: now.term, tookMs };
    }
    throw new SwarmError(
      "conflict",
      `${from} still holds the office: its successor did not take it in time; try again`,
    );
  },
  render: ({ from, to, term, tookMs }) => `${from} → ${to} (term ${term}) after ${tookMs} ms`,
});
