// Bounds for maps and sets that serve as memory: a full one drops its oldest members.

/** Deletes the oldest members, in order of insertion, until at most `limit` are left; returns their keys. */
export function dropOldest<K>(kept: Map<K, unknown> | Set<K>, limit: number): K[] {
  const dropped: K[] = [];
  for (const key of kept.keys()) {
    if (kept.size <= limit) break;
    kept.delete(key);
    dropped.push(key);
  }
  return dropped;
}
