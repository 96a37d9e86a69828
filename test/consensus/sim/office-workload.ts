// The workload of the coordinators' office: locks with leases, renewal and queues, shared values with revisions, and
// budgets. The model does not cover budgets; only repeated answers to a budget command are compared.
//
// T1  No token is ever granted twice, not even after a recovery that has lost the first grant.

import { assert } from "../../../src/base/index.ts";
import type { Command } from "./lines.ts";
import type { CreateWorkload, Decision, Model } from "./workload.ts";

/** One tick of log time, in ms. */
const TICK_MS = 50;
const NAMES = ["x", "y"];
const LOCKS = ["l", "m"];
const BUDGET = "b";

/** Locks, values and budgets as the office defines them. */
export const officeWorkload: CreateWorkload = (stage) => {
  /** The last token of each client, by client and lock. */
  const tokens = new Map<string, number>();
  const revisions = new Map<string, number>();
  /** The client and lock of each granted token. */
  const grants = new Map<number, string>();
  let isLost = false;
  let reservation = 1;
  return {
    wish(owner) {
      if (stage.happens(0.2)) return { op: "read" };
      const name = stage.pick(NAMES);
      const lock = stage.pick(LOCKS);
      const ttlMs = stage.between(2, 40) * TICK_MS;
      const token = stage.happens(0.8) ? (tokens.get(`${owner} ${lock}`) ?? 1) : stage.between(1, 9);
      const nowMs = stage.now * TICK_MS;
      const command = stage.pick<Command>([
        { type: "lock-acquire", name: lock, owner, ttlMs, patienceMs: 0 },
        { type: "lock-acquire", name: lock, owner, ttlMs, patienceMs: stage.between(1, 40) * TICK_MS },
        { type: "lock-renew", name: lock, owner, token, ttlMs },
        { type: "lock-renew", name: lock, owner, token, ttlMs },
        { type: "lock-release", name: lock, owner, token },
        { type: "config-set", name, value: stage.pick([null, 1, "two", { three: [3] }]) },
        { type: "config-set", name, value: owner, expectedRevision: revisions.get(name) ?? 0 },
        stage.pick<Command>([
          { type: "budget-set", name: BUDGET, limit: { calls: 5 }, nowMs },
          { type: "budget-reserve", name: BUDGET, amount: { calls: 1 }, ttlMs, nowMs },
          { type: "budget-settle", name: BUDGET, reservation, actual: { calls: 2 }, nowMs },
        ]),
      ]);
      // A reservation has a number and no name.
      const { name: _, ...fields } = command;
      return { op: "command", command: command.type === "budget-settle" ? (fields as Command) : command };
    },
    learn(client, { type, name }, value) {
      const { token, revision, reservation: given } = value as Record<string, number | undefined>;
      if (type === "lock-acquire" && token !== undefined) {
        const granted = `${client} ${name}`;
        const known = grants.get(token) ?? granted;
        assert(known === granted || isLost, `token ${token} is granted to ${known}, and to ${granted}`); // T1
        grants.set(token, granted);
        tokens.set(granted, token);
      }
      if (type === "config-set" && revision !== undefined) revisions.set(name, revision);
      if (type === "budget-reserve" && given !== undefined) reservation = given;
    },
    simplify: (value) => {
      const { error } = value as { error?: { code: string } };
      return error === undefined ? value : { error: error.code };
    },
    isRead: () => false,
    createModel: createOfficeModel,
    loseLog() {
      isLost = true;
    },
    recoverLog(isSame) {
      isLost = false;
      if (!isSame) grants.clear();
    },
  };
};

interface Waiter {
  readonly owner: string;
  readonly ticks: number;
  readonly until: number;
}

interface Lock {
  owner: string | null;
  token: number;
  until: number;
  queue: Waiter[];
}

/** One more than the quotient, because the first tick may follow right after the grant. */
const toTicks = (ms: unknown) => Math.ceil((ms as number) / TICK_MS) + 1;
const CONFLICT = { error: "conflict" };

function createOfficeModel(): Model {
  const values: Record<string, { value: unknown; revision: number }> = {};
  const locks: Record<string, Lock> = {};
  const decisions = new Map<string, Decision>();
  const views = new Map<number, string>();
  let lastToken = 0;
  let lastRevision = 0;

  function grant(lock: Lock, owner: string, until: number): void {
    lock.owner = owner;
    lock.token = ++lastToken;
    lock.until = until;
  }

  /** The lock at time `at`: an expired lease ends, and the next waiter gets the lock. */
  function look(name: string, at: number): Lock {
    locks[name] ??= { owner: null, token: 0, until: 0, queue: [] };
    const lock = locks[name];
    if (lock.until <= at) lock.owner = null;
    lock.queue = lock.queue.filter(({ until }) => at < until);
    const next = lock.owner === null ? lock.queue.shift() : undefined;
    if (next !== undefined) grant(lock, next.owner, at + next.ticks);
    return lock;
  }

  function acquire(command: Command, at: number): unknown {
    const lock = look(command.name, at);
    const owner = command.owner as string;
    const ticks = toTicks(command.ttlMs);
    if (lock.owner === null) grant(lock, owner, at + ticks);
    if (lock.owner === owner) return { acquired: true, token: lock.token };
    const holder = { owner: lock.owner, expiresInMs: (lock.until - at) * TICK_MS };
    const place = lock.queue.findIndex((waiter) => waiter.owner === owner);
    if (command.patienceMs === 0) {
      if (place >= 0) lock.queue.splice(place, 1);
      return { acquired: false, position: null, holder };
    }
    const waiter = { owner, ticks, until: at + toTicks(command.patienceMs) };
    if (place >= 0) lock.queue[place] = waiter;
    else lock.queue.push(waiter);
    return { acquired: false, position: (place >= 0 ? place : lock.queue.length - 1) + 1, holder };
  }

  function decide(command: Command, at: number): unknown {
    const { type, name } = command;
    if (type === "lock-acquire") return acquire(command, at);
    if (type === "config-set") {
      const found = values[name]?.revision ?? 0;
      if (command.expectedRevision !== undefined && command.expectedRevision !== found) return CONFLICT;
      const { value } = command;
      const revision = ++lastRevision;
      if (value === null) delete values[name];
      else values[name] = { value, revision };
      return { name, revision };
    }
    if (type !== "lock-renew" && type !== "lock-release") return undefined;
    const lock = look(name, at);
    if (lock.owner !== command.owner || lock.token !== command.token) return CONFLICT;
    if (type === "lock-renew") {
      lock.until = at + toTicks(command.ttlMs);
      return { renewed: true, token: command.token };
    }
    lock.owner = null;
    look(name, at);
    return { released: true };
  }

  return {
    decisions,
    apply(seq, entry) {
      for (const [index, { key, command }] of (entry.commands ?? []).entries()) {
        if (!decisions.has(key)) decisions.set(key, { seq, index, value: decide(command, entry.at) });
      }
      const held = LOCKS.filter((name) => locks[name]?.owner != null && locks[name].until > entry.at);
      views.set(
        seq,
        JSON.stringify({
          config: NAMES.filter((name) => name in values).map((name) => ({ name, ...values[name] })),
          locks: held.map((name) => ({ name, owner: locks[name]?.owner, token: locks[name]?.token })),
        }),
      );
    },
    view: (seq) => views.get(seq),
    skipAhead(count) {
      lastToken += count;
      lastRevision += count;
    },
  };
}
