// The registry: which agents belong to the swarm, and their measured record. Pure. Who joins, leaves or did well is
// found out by whoever holds the office (driver.ts), and stands in its commands.
//
// G1  An id is registered once; a later join of the same id replaces the earlier one, on whatever host that was.
// G2  A leave removes an agent only from the host that it names: news of an old life cannot end a new one.
// G3  An agent's record ends with it; that of its kind (role, model, capability) stays, so that its successor does not
//     begin from nothing.
// G4  What stands for tens of thousands of members in a hash or a snapshot is kept up to date with each change; to make it
//     anew would hold up elections.

import { hash } from "node:crypto";
import { z } from "zod";
import { dropOldest } from "../../base/index.ts";
import { canonicalJson, type Json, tokenSchema } from "../../protocol/index.ts";
import type { Reducer } from "../reducer.ts";
import { type Profile, profileSchema } from "./profile.ts";
import { addOutcomes, type OutcomeCounts, outcomesSchema, type WorkRecord } from "./record.ts";

/** Agents of one swarm: about 15 MB of state. One that is above it works, and is not listed or placed on. */
export const MAX_MEMBERS = 50_000;
/** Records of kinds; the one that was added to least recently makes room. */
export const MAX_KINDS = 4_096;
const HASH_BYTES = 32;
/** Agents of one join, and of one leave. Their bytes are bounded by who makes the command, see chunks.ts. */
export const MAX_PER_COMMAND = 256;

/** Why an agent left: it said so, it was silent, its connection ended and it does not answer. */
export const LEAVE_REASONS = ["goodbye", "missing", "disconnected"] as const;
/** Why an agent left. */
export type LeaveReason = (typeof LEAVE_REASONS)[number];

const commands = {
  /** Agents that are new, or not what they were. */
  "members-join": z.strictObject({
    type: z.literal("members-join"),
    agents: z.array(profileSchema).min(1).max(MAX_PER_COMMAND),
  }),
  "members-leave": z.strictObject({
    type: z.literal("members-leave"),
    reason: z.enum(LEAVE_REASONS),
    agents: z
      .array(z.strictObject({ id: tokenSchema, host: tokenSchema }))
      .min(1)
      .max(MAX_PER_COMMAND),
  }),
  /** What agents made of what was placed on them. */
  "record-add": z.strictObject({
    type: z.literal("record-add"),
    outcomes: z
      .array(z.strictObject({ agent: tokenSchema, capability: tokenSchema, ...outcomesSchema.shape }))
      .min(1)
      .max(MAX_PER_COMMAND),
  }),
};

/** A command about agents. */
export type RegistryCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

/** An agent of the swarm. Never changed: another one takes its place. */
export interface Member {
  readonly profile: Profile;
  /** By capability, in the order of their names. */
  readonly record: ReadonlyMap<string, WorkRecord>;
  /** The above as a snapshot holds it, and its SHA-256. */
  readonly json: Json;
  readonly hash: Buffer;
}

/** All agents. */
export interface Registry {
  /** In the order in which they came; a snapshot keeps it. */
  readonly members: Map<string, Member>;
  /** By {@link kindOf}; the least recently added to comes first. */
  readonly kinds: Map<string, WorkRecord>;
  /** Ids by capability and by host: made of `members`, for those who look. */
  readonly byCapability: Map<string, Set<string>>;
  readonly byHost: Map<string, Set<string>>;
  /** All members' hashes, combined by exclusive or: what stands for the members in the state's hash (G4). */
  readonly membersHash: Buffer;
  /** Rises whenever an agent comes, goes or changes, for those who keep what they made of that. No part of what is decided. */
  revision: number;
}

/** What agents that are made alike have in common, per capability. */
export function kindOf({ role, model }: Profile, capability: string): string {
  return JSON.stringify([role, model ?? null, capability]);
}

/** The reducer of agents. */
export const registry: Reducer<Registry, RegistryCommand> = {
  commands,
  empty: () => ({
    members: new Map(),
    kinds: new Map(),
    byCapability: new Map(),
    byHost: new Map(),
    membersHash: Buffer.alloc(HASH_BYTES),
    revision: 0,
  }),
  decide(state, command) {
    switch (command.type) {
      case "members-join": {
        const joined = command.agents.filter((profile) => join(state, profile)).length;
        return { joined, refused: command.agents.length - joined };
      }
      case "members-leave":
        return { left: command.agents.filter(({ id, host }) => leave(state, id, host)).length };
      case "record-add": {
        for (const { agent, capability, ...outcomes } of command.outcomes) {
          addRecord(state, agent, capability, outcomes);
        }
        return { recorded: command.outcomes.length };
      }
      default:
        return command satisfies never;
    }
  },
  toJson: ({ members, kinds }) => [
    Array.from(members.values(), ({ json }) => json), // G4
    [...kinds] as unknown as Json, // in the order in which they make room
  ],
  digest: ({ members, membersHash, kinds }) => [
    members.size,
    membersHash.toString("hex"),
    [...kinds] as unknown as Json,
  ],
  fromJson(json) {
    const [members, kinds] = json as unknown as [[Profile, [string, WorkRecord][]][], [string, WorkRecord][]];
    const state = registry.empty();
    for (const [profile, record] of members) {
      put(state, profile, new Map(record));
      list(state, profile);
    }
    for (const [kind, record] of kinds) state.kinds.set(kind, record);
    return state;
  },
};

function join(state: Registry, profile: Profile): boolean {
  const before = state.members.get(profile.id);
  if (before === undefined && state.members.size >= MAX_MEMBERS) return false;
  if (before !== undefined) unlist(state, before.profile);
  const isAlike = before?.profile.role === profile.role && before.profile.model === profile.model;
  put(state, profile, isAlike ? before.record : new Map()); // G1
  list(state, profile);
  return true;
}

function leave(state: Registry, id: string, host: string): boolean {
  const member = state.members.get(id);
  if (member?.profile.host !== host) return false; // G2
  state.members.delete(id);
  combine(state.membersHash, member.hash);
  unlist(state, member.profile);
  return true;
}

/** Puts a member in the place of the one with its id, if there is one. */
function put(state: Registry, profile: Profile, record: ReadonlyMap<string, WorkRecord>): void {
  const before = state.members.get(profile.id);
  if (before !== undefined) combine(state.membersHash, before.hash);
  const json = [profile, [...record]] as unknown as Json;
  const member = { profile, record, json, hash: hash("sha256", canonicalJson(json), "buffer") };
  state.members.set(profile.id, member);
  combine(state.membersHash, member.hash); // G4
}

/** Takes a hash into the whole, or out of it again. */
function combine(whole: Buffer, part: Buffer): void {
  for (let index = 0; index < HASH_BYTES; index++)
    whole[index] = (whole[index] as number) ^ (part[index] as number);
}

function list(state: Registry, { id, host, capabilities }: Profile): void {
  for (const capability of capabilities) addTo(state.byCapability, capability, id);
  addTo(state.byHost, host, id);
  state.revision++;
}

function unlist(state: Registry, { id, host, capabilities }: Profile): void {
  for (const capability of capabilities) removeFrom(state.byCapability, capability, id);
  removeFrom(state.byHost, host, id);
  state.revision++;
}

function addRecord(state: Registry, agent: string, capability: string, outcomes: OutcomeCounts): void {
  const member = state.members.get(agent);
  if (member === undefined || !member.profile.capabilities.includes(capability)) return;
  const record = [
    ...member.record,
    [capability, addOutcomes(member.record.get(capability), outcomes)] as const,
  ];
  put(state, member.profile, new Map([...new Map(record)].sort(([a], [b]) => (a < b ? -1 : 1))));
  const { kinds } = state;
  const kind = kindOf(member.profile, capability);
  const before = kinds.get(kind);
  kinds.delete(kind); // G3: back in as the newest
  kinds.set(kind, addOutcomes(before, outcomes));
  dropOldest(kinds, MAX_KINDS);
}

function addTo(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids === undefined) index.set(key, new Set([id]));
  else ids.add(id);
}

function removeFrom(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  ids?.delete(id);
  if (ids?.size === 0) index.delete(key);
}
