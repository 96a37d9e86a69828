// An agent's profile: the lasting facts about the agent that the registry holds, without its load. Owns the bounds. Pure.
import { z } from "zod";
import {
  type AgentStatus,
  classField,
  classSchema,
  isSameHost,
  MAX_SKILLS,
  tokenSchema,
} from "../../protocol/index.ts";

/** The most capabilities of one agent in the registry: as many as an agent may declare. */
const MAX_CAPABILITIES = 32;
/** The longest role, version or model, in characters. */
const MAX_WORD_LENGTH = 128;

/** The schema of a profile in the log. About 300 bytes; with every field at its bound, about 8 KiB. */
export const profileSchema = z.strictObject({
  id: tokenSchema,
  /** The class of the host. Absent for `default`, as in entries from before there were classes. */
  class: classSchema.optional(),
  host: tokenSchema,
  pid: z.int(),
  role: z.string().max(MAX_WORD_LENGTH),
  version: z.string().max(MAX_WORD_LENGTH),
  capabilities: z.array(tokenSchema).max(MAX_CAPABILITIES),
  /** The most attempts that run at the same time. */
  slots: z.int().min(0),
  since: z.string().max(40),
  expertise: z.array(tokenSchema).max(MAX_SKILLS).optional(),
  triggers: z.array(z.string().min(1).max(64)).max(MAX_SKILLS).optional(),
  model: z.string().min(1).max(MAX_WORD_LENGTH).optional(),
  publicKey: z.string().max(64).optional(),
});

/** An agent's profile, as the log holds it. */
export type Profile = z.output<typeof profileSchema>;

/** The profile in a heartbeat; null when it exceeds the bounds of the registry. */
export function profileOf(status: AgentStatus): Profile | null {
  const { id, host, pid, role, version, capabilities, slots, since } = status;
  const parsed = profileSchema.safeParse({
    id,
    ...classField(status),
    host,
    pid,
    role,
    version,
    capabilities,
    slots: slots.total,
    since,
    ...(status.expertise === undefined ? {} : { expertise: status.expertise }),
    ...(status.triggers === undefined ? {} : { triggers: status.triggers }),
    ...(status.model === undefined ? {} : { model: status.model }),
    ...(status.publicKey === undefined ? {} : { publicKey: status.publicKey }),
  });
  return parsed.success ? parsed.data : null;
}

/** True when the heartbeat's profile equals the registered one. Runs for every agent of every heartbeat. */
export function isKnown(profile: Profile, status: AgentStatus): boolean {
  return (
    isSameHost(profile, status) &&
    profile.pid === status.pid &&
    profile.slots === status.slots.total &&
    profile.since === status.since &&
    profile.role === status.role &&
    profile.version === status.version &&
    profile.model === status.model &&
    profile.publicKey === status.publicKey &&
    sameWords(profile.capabilities, status.capabilities) &&
    sameWords(profile.expertise, status.expertise) &&
    sameWords(profile.triggers, status.triggers)
  );
}

function sameWords(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.length === other.length && one.every((word, index) => word === other[index]);
}
