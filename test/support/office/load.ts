// Clients that keep sending requests to the office and record every request and answer. Owns the mix of requests and the
// record; audit.ts judges the record.
//
// H1  A client records an operation before it sends the request. The output stays undefined until a certain answer arrives.
// H2  All times come from this process's clock: a client reads `calledAt` before it sends the request, and `returnedAt`
//     after the answer has arrived.
import { type Chance, integerBetween, newId, sleep } from "../../../src/base/index.ts";
import type { LockView, OfficeClient } from "../../../src/coordinator/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import type { Operation, ValueInput, ValueOutput } from "../linearizability.ts";
import type { LockInput, LockOutput } from "./locks-model.ts";

/** The time limit of one operation. It is shorter than a fail-over, so that many outcomes stay unknown. */
const OPERATION_TIMEOUT_MS = 2_500;
/** The number of values, and of locks, in use at a time. It is small, so that clients collide. */
const LIVE_VALUES = 6;
const LIVE_LOCKS = 3;
/** The most generations of names: their values stay below the 1,000 that a swarm holds, with room for probes. */
const MAX_GENERATIONS = 150;
/** The length of a generation. In each, clients use new names, so that no part of the history grows without bound. */
const GENERATION_MS = 5_000;
/** The length of leases that must not expire: longer than any run. */
const LONG_LEASE_MS = 86_400_000;
/** The range of the lengths of leases that expire during a run. */
const SHORT_LEASES_MS = [500, 2_000] as const;
/** The longest pause of a client between two operations. */
const THINK_MS = 40;

/** An operation on the value or lock `name`. `key` is the idempotency key of a write; null for a read. */
export interface Recorded<I, O> extends Operation<I, O> {
  readonly name: string;
  readonly key: string | null;
  output: O | undefined;
  returnedAt: number;
}

/** A granted lease. `releasedAt` is the time when its holder began to release it; infinite when it did not. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  readonly token: number;
  readonly ttlMs: number;
  readonly calledAt: number;
  readonly returnedAt: number;
  releasedAt: number;
}

/** The requests and answers of all clients. */
export interface OfficeHistory {
  readonly values: Recorded<ValueInput, ValueOutput>[];
  readonly locks: Recorded<LockInput, LockOutput>[];
  readonly leases: Lease[];
  /** The times of answers, in order. A gap between two of them is an outage as clients saw it. */
  readonly answeredAt: number[];
  /** Errors other than `unavailable` and the expected conflicts. */
  readonly unexpectedErrors: string[];
}

/** A running load. */
export interface OfficeLoad {
  readonly history: OfficeHistory;
  /** Stops the clients; resolves when their last requests are answered or have timed out. */
  stop(): Promise<OfficeHistory>;
}

/** Starts `clients` clients and spreads them over these office clients. Each client has one operation at a time. */
export function startLoad(options: {
  offices: readonly OfficeClient[];
  clients: number;
  chance: Chance;
}): OfficeLoad {
  const history: OfficeHistory = { values: [], locks: [], leases: [], answeredAt: [], unexpectedErrors: [] };
  const stopping = new AbortController();
  const startedAt = performance.now();
  const generation = () => Math.floor((performance.now() - startedAt) / GENERATION_MS) % MAX_GENERATIONS;
  const running = Array.from({ length: options.clients }, (_, index) => {
    const office = options.offices[index % options.offices.length]!;
    const client = new Client({ id: `c${index}`, office, chance: options.chance, history, generation });
    return client.run(stopping.signal);
  });
  return {
    history,
    async stop() {
      stopping.abort();
      await Promise.all(running);
      return history;
    },
  };
}

class Client {
  readonly #id: string;
  readonly #office: OfficeClient;
  readonly #chance: Chance;
  readonly #history: OfficeHistory;
  readonly #generation: () => number;
  /** The revision that this client saw last, by the name of the value. */
  readonly #revisions = new Map<string, number>();
  /** The tokens of the locks that this client holds, by the name of the lock. */
  readonly #tokens = new Map<string, number>();

  constructor(parts: {
    id: string;
    office: OfficeClient;
    chance: Chance;
    history: OfficeHistory;
    generation: () => number;
  }) {
    this.#id = parts.id;
    this.#office = parts.office;
    this.#chance = parts.chance;
    this.#history = parts.history;
    this.#generation = parts.generation;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#sendRandom();
      await sleep(this.#chance.next() * THINK_MS);
    }
  }

  /** Sends one random request. */
  #sendRandom(): Promise<void> {
    const generation = this.#generation();
    const value = `v${generation}.${integerBetween(this.#chance, 1, LIVE_VALUES)}`;
    const lock = `l${generation}-${integerBetween(this.#chance, 1, LIVE_LOCKS)}`;
    const dice = this.#chance.next();
    if (dice < 0.4) return this.#write(value, this.#revisions.get(value) ?? 0);
    if (dice < 0.5) return this.#write(value, undefined);
    if (dice < 0.7) return this.#read(value);
    if (dice < 0.9) return this.#tokens.has(lock) ? this.#release(lock) : this.#acquire(lock);
    if (dice < 0.95) return this.#look(generation);
    return this.#lease(`s${integerBetween(this.#chance, 1, LIVE_LOCKS)}`);
  }

  async #write(name: string, expectedRevision: number | undefined): Promise<void> {
    const key = newId();
    const input = {
      type: "write",
      value: key,
      ...(expectedRevision === undefined ? {} : { expectedRevision }),
    } as const;
    const recorded = this.#begin(this.#history.values, { name, key, input });
    const body = { name, value: key, ...(expectedRevision === undefined ? {} : { expectedRevision }) };
    await this.#ask(
      recorded,
      async (): Promise<ValueOutput> => {
        const { revision } = await this.#office.write("config-set", body, {
          key,
          timeoutMs: OPERATION_TIMEOUT_MS,
        });
        this.#revisions.set(name, revision);
        return { type: "written", revision: revision };
      },
      { type: "conflict" },
    );
    if (recorded.output?.type === "conflict") await this.#read(name);
  }

  async #read(name: string): Promise<void> {
    const recorded = this.#begin(this.#history.values, { name, key: null, input: { type: "read" } });
    await this.#ask(recorded, async (): Promise<ValueOutput> => {
      const { values } = await this.#office.read("config", { name }, { timeoutMs: OPERATION_TIMEOUT_MS });
      const found = values.find((each) => each.name === name);
      const revision = found?.revision ?? 0;
      this.#revisions.set(name, revision);
      return { type: "read", value: found?.value ?? null, revision };
    });
  }

  async #acquire(name: string): Promise<void> {
    const key = newId();
    const owner = this.#id;
    const recorded = this.#begin(this.#history.locks, { name, key, input: { type: "acquire", owner } });
    await this.#ask(recorded, async (): Promise<LockOutput> => {
      const body = { name, owner, ttlMs: LONG_LEASE_MS, patienceMs: 0 };
      const reply = await this.#office.write("lock-acquire", body, { key, timeoutMs: OPERATION_TIMEOUT_MS });
      if (!reply.acquired) return { type: "held", by: reply.holder.owner };
      this.#tokens.set(name, reply.token);
      return { type: "acquired", token: reply.token };
    });
  }

  async #release(name: string): Promise<void> {
    const key = newId();
    const owner = this.#id;
    const token = this.#tokens.get(name) ?? 0;
    this.#tokens.delete(name);
    const recorded = this.#begin(this.#history.locks, {
      name,
      key,
      input: { type: "release", owner, token },
    });
    await this.#ask(
      recorded,
      async (): Promise<LockOutput> => {
        await this.#office.write(
          "lock-release",
          { name, owner, token },
          { key, timeoutMs: OPERATION_TIMEOUT_MS },
        );
        return { type: "released" };
      },
      { type: "not-held" },
    );
  }

  async #look(generation: number): Promise<void> {
    const names = Array.from({ length: LIVE_LOCKS }, (_, index) => `l${generation}-${index + 1}`);
    const looks = names.map((name) =>
      this.#begin(this.#history.locks, { name, key: null, input: { type: "look" } }),
    );
    let seen: LockView[] = [];
    const [first, ...others] = looks;
    const viewOf = (name: string): LockOutput => {
      const held = seen.find((each) => each.name === name);
      return { type: "seen", owner: held?.owner ?? null, token: held?.token ?? 0 };
    };
    await this.#ask(first!, async (): Promise<LockOutput> => {
      const { locks } = await this.#office.read("locks", {}, { timeoutMs: OPERATION_TIMEOUT_MS });
      seen = locks;
      return viewOf(first!.name);
    });
    if (first!.output === undefined) return;
    for (const other of others) {
      other.returnedAt = first!.returnedAt;
      other.output = viewOf(other.name);
    }
  }

  /** Acquires a short lease; then lets it expire or releases it early, with equal probability. */
  async #lease(name: string): Promise<void> {
    const owner = newId();
    const ttlMs = integerBetween(this.#chance, ...SHORT_LEASES_MS);
    const calledAt = performance.now();
    try {
      const body = { name, owner, ttlMs, patienceMs: 0 };
      const reply = await this.#office.write("lock-acquire", body, { timeoutMs: OPERATION_TIMEOUT_MS });
      const returnedAt = performance.now();
      this.#history.answeredAt.push(returnedAt);
      if (!reply.acquired) return;
      const token = reply.token;
      const lease = { name, owner, token, ttlMs, calledAt, returnedAt, releasedAt: Number.POSITIVE_INFINITY };
      this.#history.leases.push(lease);
      if (this.#chance.next() < 0.5) return;
      await sleep(this.#chance.next() * ttlMs);
      lease.releasedAt = performance.now();
      await this.#office.write("lock-release", { name, owner, token }, { timeoutMs: OPERATION_TIMEOUT_MS });
    } catch (error) {
      this.#recordUnexpected(error, ["conflict"]);
    }
  }

  #begin<I, O>(
    history: Recorded<I, O>[],
    { name, key, input }: { name: string; key: string | null; input: I },
  ) {
    const recorded: Recorded<I, O> = {
      name,
      key,
      input,
      output: undefined,
      calledAt: performance.now(),
      returnedAt: Number.POSITIVE_INFINITY,
    };
    history.push(recorded); // H1
    return recorded;
  }

  /** Sends the request and records its answer. `onConflict` is the output of an operation that the office refused with `conflict`. */
  async #ask<I, O>(recorded: Recorded<I, O>, ask: () => Promise<O>, onConflict?: O): Promise<void> {
    let output: O | undefined;
    try {
      output = await ask();
    } catch (error) {
      if (error instanceof SwarmError && error.code === "conflict") output = onConflict;
      this.#recordUnexpected(error, onConflict === undefined ? [] : ["conflict"]);
    }
    if (output === undefined) return;
    recorded.returnedAt = performance.now(); // H2
    recorded.output = output;
    this.#history.answeredAt.push(recorded.returnedAt);
  }

  #recordUnexpected(error: unknown, expected: readonly string[]): void {
    const code = error instanceof SwarmError ? error.code : "";
    if (code !== "unavailable" && !expected.includes(code))
      this.#history.unexpectedErrors.push(String(error));
  }
}
