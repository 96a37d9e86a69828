// The command set of the election node: named values (set, get, cas) and named locks with fencing tokens (lock,
// unlock). Owns the meaning of these commands. office.ts decides which commands are appended, and fold.ts applies each
// of them once. Pure.
//
// L1  The tokens of one lock name rise with every grant, also when the holder changes. The counter outlives the holder.
// L2  A lock is held until its holder unlocks it with its token, or until log time reaches grant + ttl. Only a new
//     grant, with a new token, extends a lock.

import { canonicalJson, isJsonObject, type Json, sha256 } from "../../protocol/index.ts";
import type { ParsedCommand } from "../log/entry.ts";
import type { CommandSet } from "../log/fold.ts";

/** The longest name of a value, a lock or an owner, in UTF-16 code units. */
export const MAX_REGISTER_NAME_LENGTH = 1_024;

/** The levels of nesting reserved for the entry around a value, so that every accepted value can be stored. */
const ENTRY_DEPTH = 10;

/** A command of this set. The value null means that the name is absent. Times are in ticks of log time. */
export type RegisterCommand =
  | { readonly type: "set"; readonly name: string; readonly value: Json }
  | { readonly type: "get"; readonly name: string }
  | { readonly type: "cas"; readonly name: string; readonly expect: Json; readonly value: Json }
  | { readonly type: "lock"; readonly name: string; readonly owner: string; readonly ttl?: number }
  | { readonly type: "unlock"; readonly name: string; readonly owner: string; readonly token: number };

interface Lock {
  /** The token of the last grant. */
  readonly token: number;
  readonly holder: { readonly owner: string; readonly expiresAt: number | null } | null;
}

/**
 * Values and locks, with running sums of the hashes of all facts, so that the cost of a digest does not grow with the
 * size.
 */
export interface Registers {
  readonly values: Map<string, { readonly value: Json; readonly fact: bigint }>;
  readonly locks: Map<string, Lock>;
  valueSum: bigint;
  lockSum: bigint;
}

/** Values and locks as a command set. */
export const registers: CommandSet<Registers, RegisterCommand> = {
  empty: () => ({ values: new Map(), locks: new Map(), valueSum: 0n, lockSum: 0n }),
  parse,
  isRead: (command) => command.type === "get",
  decide,
  digest: (state) => `${state.valueSum.toString(16)}.${state.lockSum.toString(16)}`,
  toJson: ({ values, locks }) => [
    [...values].map(([name, { value }]) => [name, value]),
    [...locks].map(([name, { token, holder }]) => [name, token, holder]),
  ],
  fromJson(json) {
    const [values, locks] = json as unknown as [[string, Json][], [string, number, Lock["holder"]][]];
    const state = registers.empty();
    for (const [name, value] of values) writeValue(state, name, value);
    for (const [name, token, holder] of locks) writeLock(state, name, { token, holder });
    return state;
  },
  skipAhead(state, count) {
    for (const [name, { token, holder }] of state.locks)
      writeLock(state, name, { token: token + count, holder });
  },
};

function decide(state: Registers, command: RegisterCommand, at: number): Json {
  switch (command.type) {
    case "set":
      writeValue(state, command.name, command.value);
      return true;
    case "get":
      return readValue(state, command.name);
    case "cas": {
      const isExpected = canonicalJson(readValue(state, command.name)) === canonicalJson(command.expect);
      if (isExpected) writeValue(state, command.name, command.value);
      return isExpected;
    }
    case "lock":
      return grantLock(state, command, at);
    case "unlock":
      return releaseLock(state, command, at);
    default:
      return command satisfies never;
  }
}

// Values

function readValue(state: Registers, name: string): Json {
  return state.values.get(name)?.value ?? null;
}

function writeValue(state: Registers, name: string, value: Json): void {
  const before = state.values.get(name);
  const fact = value === null ? 0n : hashFact([name, value]);
  state.valueSum = exchangeFact(state.valueSum, before?.fact ?? 0n, fact);
  if (value === null) state.values.delete(name);
  else state.values.set(name, { value, fact });
}

// Locks

function grantLock(state: Registers, command: RegisterCommand & { type: "lock" }, at: number): Json {
  const lock = state.locks.get(command.name);
  const holder = holderAt(lock, at);
  if (holder !== null && holder.owner !== command.owner) return null;
  const token = (lock?.token ?? 0) + 1;
  const expiresAt = command.ttl === undefined ? null : at + command.ttl;
  writeLock(state, command.name, { token, holder: { owner: command.owner, expiresAt } });
  return { token };
}

function releaseLock(state: Registers, command: RegisterCommand & { type: "unlock" }, at: number): boolean {
  const lock = state.locks.get(command.name);
  const isHolder = holderAt(lock, at)?.owner === command.owner && lock?.token === command.token;
  if (isHolder) writeLock(state, command.name, { token: command.token, holder: null });
  return isHolder;
}

function holderAt(lock: Lock | undefined, at: number): Lock["holder"] {
  const holder = lock?.holder ?? null;
  return holder === null || (holder.expiresAt !== null && at >= holder.expiresAt) ? null : holder;
}

function writeLock(state: Registers, name: string, lock: Lock): void {
  const before = state.locks.get(name);
  state.lockSum = exchangeFact(
    state.lockSum,
    before === undefined ? 0n : hashLock(name, before),
    hashLock(name, lock),
  );
  state.locks.set(name, lock);
}

function hashLock(name: string, { token, holder }: Lock): bigint {
  return hashFact([name, token, holder?.owner ?? null, holder?.expiresAt ?? null]);
}

// Digest: the sum of the facts' hashes modulo 2^256 (AdHash, Bellare and Micciancio 1997, §3). It finds members that
// differ. It does not resist an attacker who chooses facts that collide.

const MODULUS = 1n << 256n;

function hashFact(fact: Json): bigint {
  return BigInt(`0x${sha256(canonicalJson(fact))}`);
}

function exchangeFact(sum: bigint, before: bigint, after: bigint): bigint {
  return (sum - before + after + MODULUS) % MODULUS;
}

// Parsing

function parse(value: unknown): ParsedCommand<RegisterCommand> {
  if (!isJsonObject(value)) return refuse("expected an object");
  const { type, name, owner, ttl, token } = value;
  if (type !== "set" && type !== "get" && type !== "cas" && type !== "lock" && type !== "unlock") {
    return refuse("type is unknown; known: set, get, cas, lock, unlock");
  }
  if (!isName(name)) return refuse(`name is not a string of 1 to ${MAX_REGISTER_NAME_LENGTH} characters`);
  if (type === "get") return { ok: true, command: { type, name } };
  if (type === "set" || type === "cas") return parseWrite(type, name, value);
  if (!isName(owner)) return refuse(`owner is not a string of 1 to ${MAX_REGISTER_NAME_LENGTH} characters`);
  if (type === "unlock") {
    return isCount(token)
      ? { ok: true, command: { type, name, owner, token } }
      : refuse("token is not a count");
  }
  if (ttl === undefined) return { ok: true, command: { type, name, owner } };
  if (!isCount(ttl) || ttl < 1) return refuse("ttl is not an integer of at least 1 tick");
  return { ok: true, command: { type, name, owner, ttl } };
}

function parseWrite(
  type: "set" | "cas",
  name: string,
  { value, expect }: { readonly [field: string]: Json },
): ParsedCommand<RegisterCommand> {
  if (value === undefined) return refuse("value is missing");
  if (type === "cas" && expect === undefined) return refuse("expect is missing");
  try {
    canonicalJson([value, expect ?? null], ENTRY_DEPTH);
  } catch (error) {
    return refuse((error as Error).message);
  }
  return {
    ok: true,
    command: type === "set" ? { type, name, value } : { type, name, expect: expect as Json, value },
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_REGISTER_NAME_LENGTH;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function refuse(error: string): ParsedCommand<RegisterCommand> {
  return { ok: false, error };
}
