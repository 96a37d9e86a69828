// Snapshots as objects: their names, and how they are written and read so that the reader can trust them. Owns names and
// verification; consensus/log/snapshot.ts owns the content.
//
// V1  The name of a snapshot includes the SHA-256 of its text, so a read returns exactly that text or fails.
// V2  A snapshot counts as written only after the store has returned the same bytes.

import { webcrypto } from "node:crypto";
import { utf8Text } from "../../base/index.ts";
import { type Fold, loadFold } from "../../consensus/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Objects } from "../../transport/index.ts";
import { type OfficeCommand, type OfficeState, officeCommands } from "../state.ts";

/** The fold of the office's log. */
export type OfficeFold = Fold<OfficeState, OfficeCommand>;

/** The facts in the name of a snapshot. */
export interface SnapshotId {
  readonly logId: string;
  readonly epoch: number;
  /** The last entry of the fold that the snapshot holds. */
  readonly seq: number;
  /** SHA-256 of the snapshot's text, in hex. */
  readonly hash: string;
}

/** The object name of a snapshot. */
export function nameSnapshot({ logId, epoch, seq, hash }: SnapshotId): string {
  return `${logId}.${epoch}.${seq}.${hash}`;
}

const NAME = /^(?<logId>[^.]+)\.(?<epoch>\d{1,15})\.(?<seq>\d{1,15})\.(?<hash>[0-9a-f]{64})$/;

/** The facts in the name; null when the name is not a snapshot's. */
export function readSnapshotName(name: string): SnapshotId | null {
  const { logId, epoch, seq, hash } = NAME.exec(name)?.groups ?? {};
  if (logId === undefined || hash === undefined) return null;
  return { logId, epoch: Number(epoch), seq: Number(seq), hash };
}

/** SHA-256 in hex, computed off the event loop. */
export async function hashBytes(data: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest("SHA-256", data)).toString("hex");
}

/** All snapshots, the newest first. @throws SwarmError `unavailable`. */
export async function listSnapshots(objects: Objects): Promise<SnapshotId[]> {
  return sortSnapshots(await objects.names());
}

/** The snapshots among objects with these names, the newest first. */
export function sortSnapshots(names: readonly string[]): SnapshotId[] {
  const ids = names.map(readSnapshotName).filter((id) => id !== null);
  return ids.sort((a, b) => b.epoch - a.epoch || b.seq - a.seq || (a.hash < b.hash ? -1 : 1));
}

/**
 * Stores the text of a snapshot, given in pieces, and reads it back (V2).
 * @throws SwarmError `internal` when the store returned other bytes; `unavailable`.
 */
export async function writeSnapshot(
  objects: Objects,
  id: SnapshotId,
  text: readonly Uint8Array[],
): Promise<string> {
  const name = nameSnapshot(id);
  await objects.put(name, text);
  const stored = await objects.get(name);
  const found = stored === null ? "nothing" : await hashBytes(stored);
  if (found === id.hash) return name;
  throw new SwarmError("internal", `snapshot ${name} was stored, but ${found} was read back`);
}

/** The fold of a snapshot, or the fault. `isWhole`: the text is what was written, but this version cannot read it. */
export type ReadSnapshot = { ok: true; fold: OfficeFold } | { ok: false; fault: string; isWhole: boolean };

/** Reads and verifies a snapshot (V1). @throws SwarmError `unavailable` when the store does not answer. */
export async function readSnapshot(objects: Objects, id: SnapshotId): Promise<ReadSnapshot> {
  let bytes: Uint8Array | null;
  try {
    bytes = await objects.get(nameSnapshot(id));
  } catch (error) {
    if (error instanceof SwarmError && error.code === "internal") return bad(error.message);
    throw error;
  }
  if (bytes === null) return bad("it is gone");
  const hash = await hashBytes(bytes);
  if (hash !== id.hash) return bad(`its text has hash ${hash}`);
  const loaded = loadFold(officeCommands, utf8Text(bytes));
  if (!loaded.ok) return bad(loaded.fault, true);
  const { logId, epoch, seq } = loaded.fold;
  if (logId === id.logId && epoch === id.epoch && seq === id.seq) return loaded;
  return bad(`it holds sequence ${seq} of log ${logId}, epoch ${epoch}`);

  function bad(what: string, isWhole = false): ReadSnapshot {
    return { ok: false, fault: `snapshot of ${id.seq}: ${what}`, isWhole };
  }
}
