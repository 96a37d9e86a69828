// Cancelled scopes: a bucket with one mark for each. A host reads the mark by its key when a task of a scope starts, and the
// broadcast stops the tasks that run: so a host needs no right to list the scopes, or to follow them.
import { utf8Bytes } from "../../base/index.ts";
import { NO_SCOPE } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** Marks a scope as cancelled, for good: the mark outlives every task that could still belong to the scope. */
export async function markScope(transport: Transport, scope: string, nowMs: number): Promise<void> {
  await transport
    .bucket("cancelled")
    .put(scope, utf8Bytes(JSON.stringify({ at: new Date(nowMs).toISOString() })));
}

/** True when the scope was cancelled; reads the bucket. @throws SwarmError `unavailable`. */
export async function isScopeMarked(transport: Transport, scope: string): Promise<boolean> {
  return scope !== NO_SCOPE && (await transport.bucket("cancelled").get(scope)) !== null;
}
