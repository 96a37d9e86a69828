// The registry: the agents of the swarm and their measured records, as a reducer of the control state. The holder of the
// office finds out which agents join and leave (registrar.ts) and how their tasks end (placer.ts), and submits it as
// commands. Pure.
//
// G1  An id is registered once; a later join with the same id, even from another host, replaces the earlier one.
// G2  A leave removes an agent only from the host that it names: a late report about a former host cannot remove the agent
//     from its new host.
// G3  An agent's record ends with the agent. The record of its kind (role, model, capability) stays, so that a successor
//     does not start without one.
// G4  The reducer updates the hash and the JSON of a member with each change. To compute them for tens of thousands of
//     members at once would delay elections.

import { hash } from "node:crypto";
import { z } from "zod";
import { dropOldest } from "../../base/index.ts";
import {
  canonicalJson,
  classSchema,
  type HostRef,
  isSameHost,
  type Json,
  tokenSchema,
} from "../../protocol/index.ts";
import type { Reducer } from "../reducer.ts";
import { type Profile, profileSchema } from "./profile.ts";
import { addOutcomes, type OutcomeCounts, outcomesSchema, type WorkRecord } from "./record.ts";

/** The most agents of one swarm: about 15 MB of state. A further agent works, but is not listed and gets no placement. */
export const MAX_MEMBERS = 50_000;
/** The most records of kinds; beyond it, the record without a new outcome for the longest time is dropped. */
export const MAX_KINDS = 4_096;
const HASH_BYTES = 32;
/** The most agents of one join, and of one leave. The sender of the command bounds its bytes, see chunks.ts. */
export const MAX_PER_COMMAND = 256;

/** The reasons of a leave: the agent said goodbye; it was silent; its connection ended and it does not answer. */
export const LEAVE_REASONS = ["goodbye", "missing", "disconnected"] as const;
/** The reason of a leave. */
export type LeaveReason = (typeof LEAVE_REASONS)[number];

const commands = {
  /** Agents that are new, or whose profile changed. */
  "members-join": z.strictObject({
    type: z.literal("members-join"),
    agents: z.array(profileSchema).min(1).max(MAX_PER_COMMAND),
  }),
  "members-leave": z.strictObject({
    type: z.literal("members-leave"),
    reason: z.enum(LEAVE_REASONS),
    agents: z
      .array(z.strictObject({ id: tokenSchema, class: classSchema.optional(), host: tokenSchema }))
      .min(1)
      .max(MAX_PER_COMMAND),
  }),
  /** Outcomes of the tasks that were placed on agents. */
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

/** An agent of the swarm. The object is never changed: a change replaces it. */
export interface Member {
  readonly profile: Profile;
  /** By capability, in the order of their names. */
  readonly record: ReadonlyMap<string, WorkRecord>;
  /** Profile and record as a snapshot holds them, and the SHA-256 of that. */
  readonly json: Json;
  readonly hash: Buffer;
}

/** All agents. */
export interface Registry {
  /** In the order of their joins; a snapshot keeps the order. */
  readonly members: Map<string, Member>;
  /** By {@link kindOf}; the kind that got no outcome for the longest time comes first. */
  readonly kinds: Map<string, WorkRecord>;
  /** Ids by capability, and by the name of the host without its class: an index of `members`. */
  readonly byCapability: Map<string, Set<string>>;
  readonly byHost: Map<string, Set<string>>;
  /** The hashes of all members, combined by exclusive or: it represents the members in the hash of the state (G4). */
  readonly membersHash: Buffer;
  /** Rises at each join, leave and change of a profile, so that readers can cache. Not part of the decided state. */
  revision: number;
}

/** The name of the kind of an agent on a capability: agents with one role and one model are of one kind. */
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
        return { left: command.agents.filter(({ id, ...host }) => leave(state, id, host)).length };
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
    [...kinds] as unknown as Json, // in order: the first record is dropped first
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

function leave(state: Registry, id: string, host: HostRef): boolean {
  const member = state.members.get(id);
  if (member === undefined || !isSameHost(member.profile, host)) return false; // G2
  state.members.delete(id);
  combine(state.membersHash, member.hash);
  unlist(state, member.profile);
  return true;
}

/** Adds a member, or replaces the member with its id. */
function put(state: Registry, profile: Profile, record: ReadonlyMap<string, WorkRecord>): void {
  const before = state.members.get(profile.id);
  if (before !== undefined) combine(state.membersHash, before.hash);
  const json = [profile, [...record]] as unknown as Json;
  const member = { profile, record, json, hash: hash("sha256", canonicalJson(json), "buffer") };
  state.members.set(profile.id, member);
  combine(state.membersHash, member.hash); // G4
}

/** Adds a member's hash to the combined hash, or removes it: exclusive or does both. */
function combine(whole: Buffer, part: Buffer): void {
  for (let index = 0; index < HASH_BYTES; index++)
    whole[index] = (whole[index] as number) ^ (part[index] as number);
}

/** The agents of a host. Hosts of one name in several classes are several hosts. */
export function agentsOn(state: Registry, host: HostRef): string[] {
  return [...(state.byHost.get(host.host) ?? [])].filter((id) => {
    const member = state.members.get(id);
    return member !== undefined && isSameHost(member.profile, host);
  });
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
