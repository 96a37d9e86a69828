// The error for a stream that does not fit into the storage of JetStream, for init.ts: the wanted bytes, the bytes that are there, and
// the setting to change.
import { SwarmError } from "../../protocol/index.ts";
import { JETSTREAM_ERRORS, jetStreamCode } from "../jetstream-errors.ts";
import type { Link } from "./link.ts";

const BYTES_PER_MIB = 1_024 ** 2;
const BYTES_PER_GIB = 1_024 ** 3;
/** The longest wait for the facts about the account, in ms: they only complete an error. */
const INFO_TIMEOUT_MS = 3_000;
/** A repeat of the request cannot succeed before an operator has changed the server. */
export const LASTING = { retryable: false } as const;

/** True when JetStream has no room for a stream: on the only server, in the account, or on enough servers of a cluster. */
export function isStorageShort(error: unknown): boolean {
  const code = jetStreamCode(error);
  const isUnplaced =
    code === JETSTREAM_ERRORS.noPeers && /insufficient storage/.test((error as Error).message);
  return code === JETSTREAM_ERRORS.storageExceeded || isUnplaced;
}

/** The storage of the account, as JetStream tells it; -1: no limit. */
interface AccountStorage {
  readonly storage: number;
  readonly reserved_storage: number;
  readonly limits: { readonly max_storage: number };
}

/**
 * The error for a stream that does not fit. It names the wanted bytes, the bytes that the account has, and the setting to change. A
 * server tells its own `max_file_store` to its system account alone, so the error names the bytes that it must have.
 */
export async function tooLittleStorage(
  link: Link,
  parts: {
    config: { max_bytes: number; num_replicas: number };
    reservedBytes: number;
    doing: string;
    error: unknown;
  },
): Promise<SwarmError> {
  const { config, reservedBytes, doing, error } = parts;
  const copies = config.num_replicas;
  const servers = copies === 1 ? "the server" : `each of ${copies} servers`;
  const wants = `${doing}: it wants ${showBytes(config.max_bytes)} on ${servers}, and JetStream has too little storage left`;
  const needs = `the streams of this swarm reserve ${showBytes(reservedBytes)} on ${servers}`;
  const { has, setting } = await describeAccount(link, reservedBytes * copies);
  const message = `${wants} (${(error as Error).message}); ${has}; ${needs}: ${setting}, then run init again`;
  return new SwarmError("unavailable", message, { cause: error, ...LASTING });
}

/** The bytes that the account has, and the setting that gives it more. */
async function describeAccount(link: Link, neededBytes: number): Promise<{ has: string; setting: string }> {
  const serverSetting =
    "raise max_file_store of the servers and their volumes to more than that (Helm chart: nats.bundled.storage.size)";
  try {
    const doing = "read the storage of the account";
    const { storage, reserved_storage, limits } = await link.api<AccountStorage>("INFO", undefined, {
      doing,
      timeoutMs: INFO_TIMEOUT_MS,
    });
    const used = `the account uses ${showBytes(storage)} and reserves ${showBytes(reserved_storage)}`;
    if (limits.max_storage < 0)
      return { has: `${used}, without a limit of its own, so the servers are full`, setting: serverSetting };
    const has = `${used}, and its limit is ${showBytes(limits.max_storage)} for all copies`;
    if (limits.max_storage >= neededBytes) return { has, setting: serverSetting };
    return {
      has,
      setting: `raise limits.storageBytes of permissions.yaml, or the account's max_file, to more than ${showBytes(neededBytes)}`,
    };
  } catch (error) {
    return {
      has: `the account's storage is not known (${(error as Error).message})`,
      setting: serverSetting,
    };
  }
}

/** Bytes as a number and, from 1 MiB on, in MiB or GiB. */
function showBytes(bytes: number): string {
  if (bytes < BYTES_PER_MIB) return `${bytes} bytes`;
  const [unit, name] = bytes < BYTES_PER_GIB ? [BYTES_PER_MIB, "MiB"] : [BYTES_PER_GIB, "GiB"];
  return `${bytes} bytes (${Number((bytes / unit).toFixed(1))} ${name})`;
}
