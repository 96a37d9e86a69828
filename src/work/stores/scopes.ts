// Cancelled scopes: a bucket with one mark for each, which every worker watches.
import { utf8Bytes } from "../../base/index.ts";
import { NO_SCOPE } from "../../protocol/index.ts";
import type { Subscription, Transport } from "../../transport/index.ts";

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

/** The cancelled scopes as this process knows them. Calls `onCancelled` for each scope that is cancelled while it runs. */
export class CancelledScopes {
  readonly #transport: Transport;
  readonly #onCancelled: (scope: string) => void;
  readonly #scopes = new Set<string>();
  #watching: Subscription | undefined;

  constructor(transport: Transport, onCancelled: (scope: string) => void) {
    this.#transport = transport;
    this.#onCancelled = onCancelled;
  }

  /** Begins to watch the marks; resolves when the scopes that are marked now are known. @throws SwarmError `unavailable`. */
  async start(): Promise<void> {
    this.#watching ??= await this.#transport.bucket("cancelled").watch((scope, value) => {
      if (value === null) this.#scopes.delete(scope);
      else if (!this.#scopes.has(scope)) {
        this.#scopes.add(scope);
        this.#onCancelled(scope);
      }
    });
  }

  stop(): void {
    this.#watching?.close();
  }

  /** True when the scope was cancelled; false for the scope `-`, which means no scope. */
  has(scope: string): boolean {
    return scope !== NO_SCOPE && this.#scopes.has(scope);
  }
}
