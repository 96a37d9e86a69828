// Operations on locks with fencing tokens.
import { z } from "zod";
import { newInstanceId } from "../../base/index.ts";
import { MAX_LEASE_MS, waitForLock } from "../../coordinator/index.ts";
import { parse, tokenSchema } from "../../protocol/index.ts";
import { ageFields, patience, readOffice, staleField } from "../office/reads.ts";
import { defineOperation } from "./operation.ts";

const name = tokenSchema.meta({ description: "the lock's name" });

const DEFAULT_TTL_MS = 30_000;

export const acquireLock = defineOperation({
  name: "lock-acquire",
  summary: "take a lock, or wait for it",
  input: z.strictObject({
    name,
    owner: tokenSchema
      .optional()
      .meta({ description: "who holds it; unique to one holder (default: a new id)" }),
    ttlMs: z
      .int()
      .min(1)
      .max(MAX_LEASE_MS)
      .default(DEFAULT_TTL_MS)
      .meta({ description: "the lease, in ms; it is over then" }),
    waitMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(0)
      .meta({ description: "how long to wait in line, in ms" }),
  }),
  output: z.object({
    acquired: z.boolean(),
    name: z.string(),
    owner: z.string(),
    token: z.int().nullable(),
    ttlMs: z.int(),
    heldBy: z.string(),
  }),
  errors: ["conflict"],
  access: "operate",
  async run(context, { name: lock, owner = newInstanceId(context.caller.role), ttlMs, waitMs }) {
    const { office } = context;
    const { timeoutMs: askTimeoutMs, signal } = patience(context);
    const request = { name: lock, owner, ttlMs, patienceMs: waitMs, askTimeoutMs, signal };
    const waited = await waitForLock({ office }, request);
    return waited.acquired
      ? { acquired: true, name: lock, owner, token: waited.token, ttlMs, heldBy: owner }
      : { acquired: false, name: lock, owner, token: null, ttlMs, heldBy: waited.heldBy };
  },
});

export const releaseLock = defineOperation({
  name: "lock-release",
  summary: "give a lock back",
  input: z.strictObject({
    name,
    owner: tokenSchema.meta({ description: "who holds it" }),
    token: z.int().min(1).meta({ description: "the token it was acquired with" }),
  }),
  output: z.object({ released: z.literal(true), name: z.string() }),
  /** `conflict`: the owner does not hold the lock with that token any more. */
  errors: ["conflict", "not_found"],
  access: "operate",
  async run(context, { name: lock, owner, token }) {
    await context.office.write("lock-release", { name: lock, owner, token }, patience(context));
    return { released: true as const, name: lock };
  },
});

const lockSchema = z.object({
  name: z.string(),
  owner: z.string(),
  token: z.int(),
  expiresInMs: z.number(),
  waiting: z.int(),
});
const locksSchema = ageFields.extend({ locks: z.array(lockSchema) });

export const listLocks = defineOperation({
  name: "lock-list",
  summary: "list held locks",
  input: z.strictObject({ stale: staleField }),
  output: locksSchema,
  errors: [],
  access: "read",
  run: async (context, { stale }) =>
    parse(locksSchema, await readOffice(context, "locks", { stale }), "the answer"),
});
