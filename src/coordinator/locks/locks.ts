// Locks: one holder at a time, with a lease that the holder renews and a fencing token that only rises. Pure.
//
// L1  A token is greater than every token granted before it, of any lock, and is never granted twice.
// L2  A lock has at most one holder. The holder keeps it until it releases it with its token, or until its lease has
//     expired by log time.
// L3  Waiters are served in the order of their first requests. A waiter that stops asking loses its place when its
//     patience has passed.
import { z } from "zod";
import { type Json, tokenSchema } from "../../protocol/index.ts";
import { type Reducer, type Refusal, refuse } from "../reducer.ts";
import { leaseMsLeft, leaseTicks } from "../time.ts";

/** The most locks that are held or waited for. A lock that is released, or whose lease has expired, makes room. */
export const MAX_LOCKS = 10_000;
/** The most waiters of one lock. */
export const MAX_WAITERS = 1_000;
/** The most waiters of all locks: some 20 MB. */
export const MAX_ALL_WAITERS = 100_000;
/** The longest lease, in ms: a day. A holder that needs more time renews it. */
export const MAX_LEASE_MS = 86_400_000;
/** The longest time between two requests of a waiter that keeps its place, in ms. */
export const MAX_PATIENCE_MS = 60_000;

const ttlMs = z.int().min(1).max(MAX_LEASE_MS);
const fencingToken = z.int().min(1);

const commands = {
  /** Takes the lock, or waits for it for `patienceMs` (0: does not wait). A repeat before that time keeps the place. */
  "lock-acquire": z.strictObject({
    type: z.literal("lock-acquire"),
    name: tokenSchema,
    /** Unique to one holder: the office treats two requests with one owner as requests of one holder. */
    owner: tokenSchema,
    ttlMs,
    patienceMs: z.int().min(0).max(MAX_PATIENCE_MS),
  }),
  "lock-renew": z.strictObject({
    type: z.literal("lock-renew"),
    name: tokenSchema,
    owner: tokenSchema,
    token: fencingToken,
    ttlMs,
  }),
  "lock-release": z.strictObject({
    type: z.literal("lock-release"),
    name: tokenSchema,
    owner: tokenSchema,
    token: fencingToken,
  }),
};

/** A command about locks. */
export type LockCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

interface Holder {
  readonly owner: string;
  readonly token: number;
  readonly expiresAt: number;
}

interface Waiter {
  readonly owner: string;
  readonly ttlMs: number;
  readonly until: number;
}

interface Lock {
  holder: Holder | null;
  waiters: Waiter[];
}

/** All locks. */
export interface Locks {
  /** The last token granted (L1). */
  lastToken: number;
  readonly byName: Map<string, Lock>;
  /** Waiters of all locks, including waiters whose patience has passed and that were not removed yet. */
  waiters: number;
  /** Log time of the last {@link makeRoom}. It runs once at each log time: at the same time it would find no more. */
  roomMadeAt: number;
}

/** A lock as a reply shows it. */
export interface LockView {
  name: string;
  owner: string;
  token: number;
  expiresInMs: number;
  waiting: number;
}

/** The reply to `lock-acquire`. A position counts from 1; it is null for a caller that does not wait. */
export type LockAcquireReply =
  | { readonly acquired: true; readonly token: number }
  | {
      readonly acquired: false;
      readonly position: number | null;
      readonly holder: { readonly owner: string; readonly expiresInMs: number };
    };

/** The reducer of locks. */
export const locks: Reducer<Locks, LockCommand> = {
  commands,
  empty: () => ({ lastToken: 0, byName: new Map(), waiters: 0, roomMadeAt: -1 }),
  decide(state, command, at) {
    switch (command.type) {
      case "lock-acquire":
        return acquire(state, command, at);
      case "lock-renew": {
        const lock = settle(state, command.name, at);
        if (!isHeldBy(lock, command)) return lost(command);
        lock!.holder = { ...lock!.holder!, expiresAt: at + leaseTicks(command.ttlMs) };
        return { renewed: true, token: command.token };
      }
      case "lock-release": {
        const lock = settle(state, command.name, at);
        if (!isHeldBy(lock, command)) return lost(command);
        lock!.holder = null;
        settle(state, command.name, at);
        return { released: true };
      }
      default:
        return command satisfies never;
    }
  },
  toJson: ({ lastToken, byName }) => [
    lastToken,
    [...byName]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { holder, waiters }]) => [name, holder as Json, [...waiters] as unknown as Json]),
  ],
  fromJson(json) {
    const [lastToken, saved] = json as unknown as [number, [string, Holder | null, Waiter[]][]];
    return {
      lastToken,
      byName: new Map(saved.map(([name, holder, waiters]) => [name, { holder, waiters: [...waiters] }])),
      waiters: saved.reduce((sum, [, , waiters]) => sum + waiters.length, 0),
      roomMadeAt: -1,
    };
  },
  skipAhead(state, count) {
    state.lastToken += count;
  },
};

/** The locks that are held at log time `at`, by name. */
export function viewLocks(state: Locks, at: number): LockView[] {
  const views: LockView[] = [];
  for (const [name, { holder, waiters }] of state.byName) {
    if (holder === null || isOver(holder, at)) continue;
    const { owner, token, expiresAt } = holder;
    const waiting = waiters.filter(({ until }) => until > at).length;
    views.push({ name, owner, token, expiresInMs: leaseMsLeft(expiresAt, at), waiting });
  }
  return views.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function acquire(
  state: Locks,
  command: LockCommand & { type: "lock-acquire" },
  at: number,
): LockAcquireReply | Refusal {
  const { name, owner, ttlMs: leaseMs, patienceMs } = command;
  const lock = settle(state, name, at) ?? { holder: null, waiters: [] };
  if (lock.holder?.owner === owner) return granted(lock.holder);
  if (lock.holder === null) {
    if (state.byName.size >= MAX_LOCKS) makeRoom(state, at);
    if (state.byName.size >= MAX_LOCKS) {
      return refuse("conflict", `${MAX_LOCKS} locks are held already; release some first`, "name");
    }
    state.byName.set(name, lock);
    return granted(grant(state, lock, { owner, ttlMs: leaseMs }, at));
  }
  const place = lock.waiters.findIndex((waiter) => waiter.owner === owner);
  const { holder } = lock;
  const held = { owner: holder.owner, expiresInMs: leaseMsLeft(holder.expiresAt, at) };
  if (patienceMs === 0) {
    if (place >= 0) state.waiters -= lock.waiters.splice(place, 1).length;
    return { acquired: false, position: null, holder: held };
  }
  if (place < 0 && lock.waiters.length >= MAX_WAITERS) {
    return refuse("conflict", `${MAX_WAITERS} wait for the lock ${name} already; try again later`, "name");
  }
  if (place < 0 && state.waiters >= MAX_ALL_WAITERS) makeRoom(state, at);
  if (place < 0 && state.waiters >= MAX_ALL_WAITERS) {
    return refuse("conflict", `${MAX_ALL_WAITERS} wait for locks already; try again later`, "name");
  }
  const waiter = { owner, ttlMs: leaseMs, until: at + leaseTicks(patienceMs) };
  const position = (place < 0 ? lock.waiters.length : place) + 1;
  if (place < 0) state.waiters++;
  lock.waiters[position - 1] = waiter;
  return { acquired: false, position, holder: held };
}

/** Brings the lock to log time `at`: ends an expired lease, removes waiters that left, serves the next one (L2, L3). */
function settle(state: Locks, name: string, at: number): Lock | undefined {
  const lock = state.byName.get(name);
  if (lock === undefined) return undefined;
  if (isOver(lock.holder, at)) lock.holder = null;
  forgetLeft(state, lock, at);
  const next = lock.holder === null ? lock.waiters.shift() : undefined;
  if (next !== undefined) {
    state.waiters--;
    grant(state, lock, next, at);
  }
  if (lock.holder !== null) return lock;
  state.byName.delete(name);
  return undefined;
}

function isOver(holder: Holder | null, at: number): boolean {
  return holder !== null && holder.expiresAt <= at;
}

/** Removes the waiters of a lock whose patience has passed. */
function forgetLeft(state: Locks, lock: Lock, at: number): void {
  const waiters = lock.waiters.filter(({ until }) => until > at);
  state.waiters -= lock.waiters.length - waiters.length;
  lock.waiters = waiters;
}

/**
 * Removes waiters that left, and locks without holder and waiters, though no request named these locks since. Grants
 * nothing: the order of a map is not part of the state, and tokens must not depend on it.
 */
function makeRoom(state: Locks, at: number): void {
  if (state.roomMadeAt === at) return;
  state.roomMadeAt = at;
  for (const [name, lock] of state.byName) {
    forgetLeft(state, lock, at);
    if (lock.waiters.length === 0 && isOver(lock.holder, at)) state.byName.delete(name);
  }
}

function grant(state: Locks, lock: Lock, to: Pick<Waiter, "owner" | "ttlMs">, at: number): Holder {
  const token = ++state.lastToken; // L1
  const holder = { owner: to.owner, token, expiresAt: at + leaseTicks(to.ttlMs) };
  lock.holder = holder;
  return holder;
}

function granted({ token }: Holder): LockAcquireReply {
  return { acquired: true, token };
}

function isHeldBy(lock: Lock | undefined, { owner, token }: { owner: string; token: number }): boolean {
  return lock?.holder?.owner === owner && lock.holder.token === token;
}

function lost({ name, owner, token }: { name: string; owner: string; token: number }): Json {
  return refuse(
    "conflict",
    `${owner} does not hold the lock ${name} with token ${token} (any more): stop what it protected, then acquire it anew`,
    "token",
  );
}
