// Which scopes were cancelled: a bucket of marks, followed by every worker.
import { utf8Bytes } from "../../base/index.ts";
import { NO_SCOPE } from "../../protocol/index.ts";
import type { Subscription, Transport } from "../../transport/index.ts";

/** The cancelled scopes as this process knows them. */
export interface CancelledScopes {
  start(): Promise<void>;
  stop(): void;
  has(scope: string): boolean;
}

/** Marks a scope as cancelled, for good (the mark outlives every task that could still belong to it). */
export async function markScope(transport: Transport, scope: string, nowMs: number): Promise<void> {
  await transport
    .bucket("cancelled")
    .put(scope, utf8Bytes(JSON.stringify({ at: new Date(nowMs).toISOString() })));
}

/** True when the scope carries a mark. @throws SwarmError `unavailable`. */
export async function isScopeMarked(transport: Transport, scope: string): Promise<boolean> {
  return scope !== NO_SCOPE && (await transport.bucket("cancelled").get(scope)) !== null;
}

/** Follows the marks. `onMark` is called for each scope that becomes cancelled while this runs. */
export function followCancelledScopes(
  transport: Transport,
  onMark: (scope: string) => void,
): CancelledScopes {
  const scopes = new Set<string>();
  let watching: Subscription | undefined;
  return {
    async start() {
      watching ??= await transport.bucket("cancelled").watch((scope, value) => {
        if (value === null) scopes.delete(scope);
        else if (!scopes.has(scope)) {
          scopes.add(scope);
          onMark(scope);
        }
      });
    },
    stop: () => watching?.close(),
    has: (scope) => scope !== NO_SCOPE && scopes.has(scope),
  };
}
