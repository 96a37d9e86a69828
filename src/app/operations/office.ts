// Operations on the office: who holds it, handing it over, and recovering its control log.
import { z } from "zod";
import { sleep } from "../../base/index.ts";
import { planRecovery } from "../../coordinator/index.ts";
import { SwarmError, tokenSchema, toSwarmError } from "../../protocol/index.ts";
import { auditOperation } from "../office/operation-audit.ts";
import { patience } from "../office/reads.ts";
import { officeStatusSchema, readOfficeStatus } from "../office/status.ts";
import { defineOperation } from "./operation.ts";

export const showOffice = defineOperation({
  name: "office-status",
  summary: "say which coordinator holds the office",
  input: z.strictObject({}),
  output: officeStatusSchema,
  errors: [],
  access: "read",
  run: (context) => readOfficeStatus(context.office, patience(context)),
});

/** How long a transfer waits for the successor, in ms: the holder gives a transfer up after its election timeout. */
const TRANSFER_TIMEOUT_MS = 2_000;
/** The pause between two looks, in ms: each look is an append to the control log. */
const LOOK_PAUSE_MS = 10;

export const transferOffice = defineOperation({
  name: "office-transfer",
  summary: "hand the office to another coordinator",
  input: z.strictObject({
    to: tokenSchema.optional().meta({ description: "who shall lead (default: who is furthest)" }),
  }),
  output: z.object({ from: z.string(), to: z.string(), term: z.int(), tookMs: z.number() }),
  /** `conflict`: the successor did not take the office, or another coordinator did. */
  errors: ["conflict"],
  access: "operate",
  async run(context, input) {
    const { office, signal } = context;
    const { leader: from, term } = await office.tenure(patience(context));
    const startedMs = performance.now();
    try {
      await office.transfer(input.to, { term, ...patience(context) });
    } catch (error) {
      // The term changed already: a request that was repeated after a lost answer may have changed it.
      if (toSwarmError(error).code !== "conflict") throw error;
    }
    while (performance.now() - startedMs < TRANSFER_TIMEOUT_MS) {
      const now = await office.tenure(patience(context));
      const tookMs = Math.round(performance.now() - startedMs);
      if (now.term === term) await sleep(LOOK_PAUSE_MS, { signal });
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
});

export const recoverOffice = defineOperation({
  name: "office-recover",
  summary: "continue after the control log was lost",
  input: z.strictObject({
    yes: z.boolean().default(false).meta({ description: "do it; without it only the plan is shown" }),
  }),
  output: z.object({
    recovered: z.boolean(),
    /** The audit log contains an entry about it. */
    audited: z.boolean(),
    /** The reason why coordinators cannot continue with the log. */
    problem: z.string(),
    logId: z.string(),
    /** The snapshot that coordinators continue from; null: the beginning of the log. */
    snapshotSeq: z.int().nullable(),
    /** Everything that was decided up to this entry is kept. */
    keptSeq: z.int(),
    /** The entries that are known to be lost; null when none is known. */
    lost: z.object({ from: z.int(), to: z.int() }).nullable(),
    /** The number of stored entries that cannot be used and are removed. */
    discarded: z.int(),
    /** The epoch, first entry and least term of the new log. */
    epoch: z.int(),
    firstSeq: z.int(),
    term: z.int(),
  }),
  /** `conflict`: the log is sound. */
  errors: ["conflict"],
  access: "admin",
  role: "coordinator",
  audit: { isChange: ({ yes }) => yes },
  async run({ transport, office, caller }, { yes }) {
    const { recovery, perform } = await planRecovery(transport, await office.listCoordinators());
    if (yes) await perform();
    const { keptSeq, knownSeq, ...facts } = recovery;
    const { problem, epoch, term } = facts;
    const done = { by: caller.name, problem, keptSeq, knownSeq, epoch, term };
    const note = { kind: "office-recovered", facts: done } as const;
    const audited = yes && (await auditOperation({ transport, role: caller.role }, note));
    const lost = knownSeq > keptSeq ? { from: keptSeq + 1, to: knownSeq } : null;
    return { recovered: yes, audited, ...facts, keptSeq, lost };
  },
});
