// A key-value bucket in memory: values with revisions, their expiry, and watchers. The connections of one in-memory server
// share it through the bucket port of transport.ts. An expired value is no longer read, but watchers get no event for it.
import type { BucketSpec } from "../../protocol/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { BucketEntry } from "../ports.ts";
import type { Timers } from "./timers.ts";

interface Value {
  readonly entry: BucketEntry;
  readonly storedAtMs: number;
}

/** One bucket, shared by all connections to the server. */
export class MemoryBucket {
  readonly spec: BucketSpec;
  readonly #timers: Timers;
  readonly #values = new Map<string, Value>();
  readonly #watchers = new Set<(key: string, value: Uint8Array | null) => void>();
  #revision = 0;

  constructor(spec: BucketSpec, timers: Timers) {
    this.spec = spec;
    this.#timers = timers;
  }

  get(key: string): BucketEntry | null {
    const value = this.#values.get(key);
    if (value === undefined || this.#isExpired(value)) return null;
    return value.entry;
  }

  /** Stores a value and returns its revision. Revisions rise across all keys of the bucket. */
  put(key: string, value: Uint8Array): number {
    const revision = ++this.#revision;
    const entry = { key, value: new Uint8Array(value), revision };
    this.#values.set(key, { entry, storedAtMs: this.#timers.now() });
    for (const watcher of this.#watchers) watcher(key, entry.value);
    return revision;
  }

  /**
   * Stores a value if the key's revision is still `revision` (0: the key has no value).
   * @throws SwarmError `conflict` when another write came first.
   */
  update(key: string, value: Uint8Array, revision: number): number {
    const found = this.get(key)?.revision ?? 0;
    if (found !== revision) {
      throw new SwarmError(
        "conflict",
        `write ${key} in ${this.spec.name}: expected revision ${revision}, found ${found}: another write came first`,
      );
    }
    return this.put(key, value);
  }

  delete(key: string): void {
    this.#revision++;
    this.#values.delete(key);
    for (const watcher of this.#watchers) watcher(key, null);
  }

  entries(): BucketEntry[] {
    return [...this.#values.values()].filter((value) => !this.#isExpired(value)).map(({ entry }) => entry);
  }

  /** Calls `watcher` for each later write, with null for a delete, until the returned function is called. */
  watch(watcher: (key: string, value: Uint8Array | null) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #isExpired({ storedAtMs }: Value): boolean {
    return this.spec.ttlMs > 0 && this.#timers.now() - storedAtMs >= this.spec.ttlMs;
  }
}
