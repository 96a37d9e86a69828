// `lock …`: locks of the swarm, for scripts and for a look.
import { z } from "zod";
import { newInstanceId } from "../../../base/index.ts";
import { MAX_LEASE_MS, waitForLock } from "../../../coordinator/index.ts";
import { parse, tokenSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { showDuration, table } from "../../cli/terminal.ts";
import { openOffice, patience, readOffice, showAge, staleFacts, staleFlag } from "./office.ts";

const name = tokenSchema.meta({ positional: true, value: "NAME", description: "the lock's name" });

const lockSchema = z.object({
  name: z.string(),
  owner: z.string(),
  token: z.int(),
  expiresInMs: z.number(),
  waiting: z.int(),
});

const DEFAULT_TTL_MS = 30_000;

export const acquire = defineCommand({
  input: z.strictObject({
    name,
    owner: tokenSchema
      .optional()
      .meta({ description: "who holds it; unique to one holder (default: a new id)", value: "ID" }),
    ttlMs: z
      .int()
      .min(1)
      .max(MAX_LEASE_MS)
      .default(DEFAULT_TTL_MS)
      .meta({ description: "the lease, in ms; it is over then", value: "MS" }),
    waitMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(0)
      .meta({ description: "how long to wait in line, in ms", value: "MS" }),
  }),
  output: z.object({
    acquired: z.boolean(),
    name: z.string(),
    owner: z.string(),
    token: z.int().nullable(),
    ttlMs: z.int(),
    heldBy: z.string(),
  }),
  examples: ["lock acquire deploy", "lock acquire deploy --ttl-ms 60000 --wait-ms 10000 --json"],
  details:
    "Exit code 1 when another one holds it. Hand the token to whatever the lock protects: it rises with every holder, so\na write with a lower one is too late. The lease is counted from before this command asked; an --owner who holds the lock\nalready is told its token again, and its lease stays as it was.",
  async run(ports, { name: lock, owner = newInstanceId("cli"), ttlMs, waitMs }) {
    const { timeoutMs: askTimeoutMs, signal } = patience(ports);
    const parts = { office: await openOffice(ports) };
    const request = { name: lock, owner, ttlMs, patienceMs: waitMs, askTimeoutMs, signal };
    const waited = await waitForLock(parts, request);
    return waited.acquired
      ? { acquired: true, name: lock, owner, token: waited.token, ttlMs, heldBy: owner }
      : { acquired: false, name: lock, owner, token: null, ttlMs, heldBy: waited.heldBy };
  },
  exitCode: ({ acquired }) => (acquired ? 0 : 1),
  render: ({ acquired, name: lock, owner, token, ttlMs, heldBy }) =>
    acquired
      ? `${lock} is held by ${owner} with token ${token} for ${showDuration(ttlMs)}`
      : `${lock} is held by ${heldBy}`,
});

export const release = defineCommand({
  input: z.strictObject({
    name,
    owner: tokenSchema.meta({ description: "who holds it", value: "ID" }),
    token: z.int().min(1).meta({ description: "the token it was acquired with", value: "N" }),
  }),
  output: z.object({ released: z.literal(true), name: z.string() }),
  examples: ["lock release deploy --owner cli-4k2m9x7q1z --token 7"],
  details: "Exit code 1 when it is not held by that owner with that token any more.",
  async run(ports, { name: lock, owner, token }) {
    const office = await openOffice(ports);
    await office.write("lock-release", { name: lock, owner, token }, patience(ports));
    return { released: true as const, name: lock };
  },
  render: ({ name: lock }) => `released ${lock}`,
});

const locksSchema = staleFacts.extend({ locks: z.array(lockSchema) });

export const ls = defineCommand({
  input: z.strictObject({ stale: staleFlag }),
  output: locksSchema,
  examples: ["lock ls", "lock ls --stale --json"],
  details: "Held locks by name, confirmed by the control log unless --stale says otherwise.",
  run: async (ports, { stale }) =>
    parse(locksSchema, await readOffice(ports, "locks", { stale }), "the answer"),
  render: ({ locks, ...age }) =>
    showAge(
      table(
        ["NAME", "OWNER", "TOKEN", "OVER IN", "WAITING"],
        locks.map(({ name: lock, owner, token, expiresInMs, waiting }) => [
          lock,
          owner,
          String(token),
          showDuration(expiresInMs),
          String(waiting),
        ]),
        "no lock is held",
      ),
      age,
    ),
});
