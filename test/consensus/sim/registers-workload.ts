// The workload of the election node: values with compare-and-set, and locks with tokens.

import type { Command } from "./lines.ts";
import type { CreateWorkload, Decision, Model } from "./workload.ts";

interface Lock {
  tokens: number;
  owner: string | null;
  until: number;
}

/** Values and locks as the election node defines them. */
export const registersWorkload: CreateWorkload = (stage) => {
  /** The highest token that a client has received, by lock. */
  const tokens = new Map<string, number>();
  return {
    wish(owner) {
      const name = stage.pick(["x", "y"]);
      const lock = stage.pick(["l", "m"]);
      const value = stage.between(0, 3);
      const command = stage.pick<Command>([
        { type: "set", name, value },
        { type: "get", name },
        { type: "get", name },
        { type: "cas", name, expect: stage.pick([null, 0, 1, 2, 3]), value },
        { type: "lock", name: lock, owner, ttl: stage.between(3, 40) },
        { type: "lock", name: lock, owner },
        { type: "unlock", name: lock, owner, token: stage.between(1, 6) },
        { type: "unlock", name: lock, owner, token: tokens.get(lock) ?? 1 },
      ]);
      return { op: "command", command };
    },
    learn(_client, { type, name }, value) {
      const { token } = ((type === "lock" ? value : null) as { token?: number }) ?? {};
      if (token !== undefined) tokens.set(name, Math.max(token, tokens.get(name) ?? 0));
    },
    simplify: (value) => value,
    isRead: ({ type }) => type === "get",
    createModel: createRegistersModel,
    loseLog: () => undefined,
    recoverLog: () => undefined,
  };
};

function createRegistersModel(): Model {
  const values: Record<string, unknown> = {};
  const locks: Record<string, Lock> = {};
  const decisions = new Map<string, Decision>();

  function decide(command: Command, at: number): unknown {
    const { type, name } = command;
    if (type === "get") return values[name] ?? null;
    if (type === "set") {
      values[name] = command.value;
      return true;
    }
    if (type === "cas") {
      const matches = JSON.stringify(values[name] ?? null) === JSON.stringify(command.expect);
      if (matches) values[name] = command.value;
      return matches;
    }
    locks[name] ??= { tokens: 0, owner: null, until: 0 };
    const lock = locks[name];
    if (lock.owner !== null && at >= lock.until) lock.owner = null;
    if (type === "lock") {
      if (lock.owner !== null && lock.owner !== command.owner) return null;
      lock.tokens += 1;
      lock.owner = command.owner as string;
      lock.until = at + ((command.ttl as number | undefined) ?? Number.POSITIVE_INFINITY);
      return { token: lock.tokens };
    }
    const holds = lock.owner === command.owner && lock.tokens === command.token;
    if (holds) lock.owner = null;
    return holds;
  }

  return {
    decisions,
    apply(seq, entry) {
      for (const [index, { key, command }] of (entry.commands ?? []).entries()) {
        if (!decisions.has(key)) decisions.set(key, { seq, index, value: decide(command, entry.at) });
      }
    },
    view: () => undefined,
    skipAhead(count) {
      for (const lock of Object.values(locks)) lock.tokens += count;
    },
  };
}
