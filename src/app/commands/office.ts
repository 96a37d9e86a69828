// `office …`: who decides for the swarm, and handing that over.
import { z } from "zod";
import { sleep } from "../../base/index.ts";
import {
  createOfficeClient,
  OFFICE_TIMEOUT_MS,
  type OfficeClient,
  planRecovery,
  type ReadName,
  type RequestInput,
  type WholeReply,
} from "../../coordinator/index.ts";
import { SwarmError, tokenSchema, toSwarmError } from "../../protocol/index.ts";
import { defineCommand, type Ports } from "../cli/command.ts";
import { showDuration, table } from "../cli/terminal.ts";
import { auditCommand, operatorName } from "../office/operator.ts";
import { officeStatusSchema, readOfficeStatus } from "../office/status.ts";

/** The office of the session's swarm. */
export async function openOffice(ports: Ports): Promise<OfficeClient> {
  return createOfficeClient({ transport: await ports.transport() });
}

/** The flag of reads that may be old. */
export const staleFlag = z
  .boolean()
  .default(false)
  .meta({ description: "ask any coordinator, also with nobody in office; may be old" });

/** What the answer of such a read holds besides. */
export const staleFacts = z.object({
  /** With --stale: the last entry of the control log that it holds. */
  seq: z.int().optional(),
  /** With --stale: all that was decided this long ago, in ms, is in it. */
  ageMs: z.number().optional(),
});

/** A read of the office, confirmed by the control log, or one that may be old. */
export async function readOffice<N extends ReadName>(
  ports: Ports,
  name: N,
  { stale, body }: { stale: boolean; body?: RequestInput<N> },
): Promise<WholeReply<N> & z.output<typeof staleFacts>> {
  const office = await openOffice(ports);
  return stale ? office.readStale(name, body, patience(ports)) : office.read(name, body, patience(ports));
}

/** Says below an answer how old it may be. */
export function showAge(shown: string, { seq, ageMs }: z.output<typeof staleFacts>): string {
  return ageMs === undefined ? shown : `${shown}\nas of entry ${seq}, at most ${showDuration(ageMs)} old`;
}

/** How long the session waits for the office, and what ends that. */
export function patience({ config, signal }: Ports): { timeoutMs: number; signal: AbortSignal } {
  return { timeoutMs: config.timeoutMs ?? OFFICE_TIMEOUT_MS, signal };
}

const UNAVAILABLE = 3;

export const status = defineCommand({
  input: z.strictObject({}),
  output: officeStatusSchema,
  examples: ["office status", "office status --json"],
  details:
    "The leader is named only when the control log has just confirmed it; otherwise it is null, and the exit code is 3.\nMembers tell themselves what they are; one that does not answer within 250 ms is silent.",
  run: async (ports) => readOfficeStatus(await openOffice(ports), patience(ports)),
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

/** How long the successor is waited for: the holder gives a transfer up after its election timeout. */
const TRANSFER_TIMEOUT_MS = 2_000;
/** The pause between two looks, in ms: each is an append to the control log. */
const LOOK_PAUSE_MS = 10;

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
    const { leader: from, term } = await office.tenure(patience(ports));
    const startedMs = performance.now();
    try {
      await office.transfer(input.to, { term, ...patience(ports) });
    } catch (error) {
      // It changed hands: the first of two asks may have done it.
      if (toSwarmError(error).code !== "conflict") throw error;
    }
    while (performance.now() - startedMs < TRANSFER_TIMEOUT_MS) {
      const now = await office.tenure(patience(ports));
      const tookMs = Math.round(performance.now() - startedMs);
      if (now.term === term) await sleep(LOOK_PAUSE_MS, { signal: ports.signal });
      else if (input.to === undefined || input.to === now.leader)
        return { from, to: now.leader, term: now.term, tookMs };
      else
        throw new SwarmError(
          "conflict",
          `the office went to ${now.leader} and not to ${input.to}; try again`,
        );
    }
    throw new SwarmError(
      "conflict",
      `${from} still holds the office: its successor did not take it in time; try again`,
    );
  },
  render: ({ from, to, term, tookMs }) => `${from} → ${to} (term ${term}) after ${tookMs} ms`,
});

const REFUSED = 1;

export const recover = defineCommand({
  input: z.strictObject({
    yes: z.boolean().default(false).meta({ description: "do it; without it only the plan is shown" }),
  }),
  output: z.object({
    recovered: z.boolean(),
    /** The audit log tells of it. */
    audited: z.boolean(),
    /** Why the log cannot be gone on with. */
    problem: z.string(),
    logId: z.string(),
    /** The snapshot that is gone on from; null: the beginning of the log. */
    snapshotSeq: z.int().nullable(),
    /** What was decided up to here is kept. */
    keptSeq: z.int(),
    /** The entries that are lost, as far as anything shows that they were; null when nothing does. */
    lost: z.object({ from: z.int(), to: z.int() }).nullable(),
    /** Stored entries that cannot be gone on with, and are removed. */
    discarded: z.int(),
    /** Where the log begins again. */
    epoch: z.int(),
    firstSeq: z.int(),
    term: z.int(),
  }),
  examples: ["office recover", "office recover --yes"],
  details:
    "Only for a control log that coordinators halt over; a sound one is refused. Goes on from the newest snapshot that can\nbe verified and what is left of the log behind it. Stop what locks protected first: who held a lock may have lost it.\nWithout --yes nothing is changed, and the exit code is 1. Coordinators go on by themselves.",
  async run(ports, { yes }) {
    const transport = await ports.transport();
    const office = createOfficeClient({ transport });
    const { recovery, perform } = await planRecovery(transport, await office.listCoordinators());
    if (yes) await perform();
    const { keptSeq, knownSeq, ...facts } = recovery;
    const { problem, epoch, term } = facts;
    const done = { by: operatorName(), problem, keptSeq, knownSeq, epoch, term };
    const audited = yes && (await auditCommand(transport, { kind: "office-recovered", facts: done }));
    const lost = knownSeq > keptSeq ? { from: keptSeq + 1, to: knownSeq } : null;
    return { recovered: yes, audited, ...facts, keptSeq, lost };
  },
  exitCode: ({ recovered }) => (recovered ? 0 : REFUSED),
  render({ recovered, audited, problem, snapshotSeq, keptSeq, lost, discarded, epoch, firstSeq, term }) {
    const from = snapshotSeq === null ? "the log's beginning" : `the snapshot of ${snapshotSeq}`;
    const gone =
      lost === null
        ? `no entry is known to be lost; any that came behind ${keptSeq} and was not seen is`
        : `${lost.to - lost.from + 1} entries, ${lost.from} to ${lost.to}, as far as is known`;
    return [
      `problem    ${problem}`,
      `kept       what was decided up to ${keptSeq}, from ${from}`,
      `lost       ${gone}`,
      `discarded  ${discarded} stored entries`,
      `begins     at ${firstSeq}, epoch ${epoch}, above term ${term}`,
      recovered
        ? `the control log was recovered; coordinators go on by themselves${audited ? "" : "\nthe audit log does not tell of it: it did not answer"}`
        : "nothing was changed; murmur office recover --yes does it",
    ].join("\n");
  },
});
