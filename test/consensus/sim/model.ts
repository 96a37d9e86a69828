// What commands ought to mean, written a second time and as plainly as possible, from the description alone: the
// simulator compares the product's answers with this model over the stored log. Shares no code with src.

/** A command as it stands in an entry. */
export type Command = { type: string; name: string } & Record<string, unknown>;

/** An entry as the shared log stores it. */
export interface StoredEntry {
  readonly type: string;
  readonly term: number;
  readonly at: number;
  readonly leader?: string;
  readonly commands?: readonly { key: string; command: Command }[];
}

/** Where in the log a key was decided, and how. */
export interface Decision {
  readonly seq: number;
  readonly index: number;
  readonly value: unknown;
}

interface Lock {
  tokens: number;
  owner: string | null;
  until: number;
}

/** Folds the log as it grows; `decisions` holds the result of each key's first command. */
export function createModel() {
  const values: Record<string, unknown> = {};
  const locks: Record<string, Lock> = {};
  const decisions = new Map<string, Decision>();

  function decide(command: Command, at: number): unknown {
    const { type, name } = command;
    if (type === "get") return values[name] ?? null;
    if (type === "set") {
      values[name] = command.value;
      return true;
    }
    if (type === "cas") {
      const matches = JSON.stringify(values[name] ?? null) === JSON.stringify(command.expect);
      if (matches) values[name] = command.value;
      return matches;
    }
    locks[name] ??= { tokens: 0, owner: null, until: 0 };
    const lock = locks[name];
    if (lock.owner !== null && at >= lock.until) lock.owner = null;
    if (type === "lock") {
      if (lock.owner !== null && lock.owner !== command.owner) return null;
      lock.tokens += 1;
      lock.owner = command.owner as string;
      lock.until = at + ((command.ttl as number | undefined) ?? Number.POSITIVE_INFINITY);
      return { token: lock.tokens };
    }
    const holds = lock.owner === command.owner && lock.tokens === command.token;
    if (holds) lock.owner = null;
    return holds;
  }

  return {
    decisions,
    apply(seq: number, entry: StoredEntry): void {
      for (const [index, { key, command }] of (entry.commands ?? []).entries()) {
        if (decisions.has(key)) continue;
        decisions.set(key, { seq, index, value: decide(command, entry.at) });
      }
    },
  };
}

/** One finished operation of a client: when it was first asked and when it was answered, on one count of steps. */
export interface Operation {
  readonly key: string;
  readonly askedAt: number;
  readonly answeredAt: number;
}

/**
 * Linearizability with the log as witness (Herlihy and Wing 1990, §2): the log's order must respect real time. An
 * operation that was answered before another one was asked must stand before it. Gives the first pair that does
 * not; answers themselves are compared with the model elsewhere.
 */
export function findOutOfOrder(
  operations: readonly Operation[],
  decisions: ReadonlyMap<string, Decision>,
): [Operation, Operation] | undefined {
  const placed = operations.map((operation) => {
    const decision = decisions.get(operation.key);
    if (decision === undefined) throw new Error(`operation ${operation.key} was answered but never stored`);
    return { operation, decision };
  });
  placed.sort((a, b) => a.decision.seq - b.decision.seq || a.decision.index - b.decision.index);
  let earliestAnswer: Operation | undefined;
  for (const { operation } of placed.reverse()) {
    if (earliestAnswer !== undefined && operation.askedAt > earliestAnswer.answeredAt) {
      return [earliestAnswer, operation];
    }
    if (earliestAnswer === undefined || operation.answeredAt < earliestAnswer.answeredAt)
      earliestAnswer = operation;
  }
  return undefined;
}
