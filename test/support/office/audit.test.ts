// Tests of the audit: it passes a sound run, and it finds each kind of planted fault.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type AuditReport, audit, foldLog, isSound, type LogEntry, type StatusSample } from "./audit.ts";
import type { Lease, OfficeHistory, Recorded } from "./load.ts";

type Run = Parameters<typeof audit>[0];
type Body = Record<string, unknown>;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const sorted = (body: Body) =>
  JSON.stringify(body, (_key, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );

/** Stores bodies as the control log does: each with its chain hash, and one second after the entry before it. */
function store(bodies: readonly Body[]): LogEntry[] {
  let chain = "";
  return bodies.map((body, index) => {
    const seq = index + 1;
    chain = sha256(index === 0 ? sorted(body) : `${chain}\n${sorted(body)}`);
    return { seq, storedAtMs: seq * 1_000, body: index === 0 ? body : { ...body, chain } };
  });
}

const head = (term: number, at: number) => ({ v: 1, logId: "log", term, at });
const taken = (term: number, leader: string, at: number) => ({
  ...head(term, at),
  type: "office-taken",
  leader,
});
const commands = (term: number, at: number, ...list: [string, Body][]) => ({
  ...head(term, at),
  type: "commands",
  commands: list.map(([key, command]) => ({ key: `c.${key}`, command })),
});
const set = (value: string) => ({ type: "config-set", name: "n", value });
const acquire = (owner: string) => ({ type: "lock-acquire", name: "l", owner, ttlMs: 1_000, patienceMs: 0 });

const BODIES = [
  { v: 1, type: "genesis", logId: "log", epoch: 1 },
  taken(1, "a", 0),
  commands(1, 1, ["k1", set("one")], ["k2", acquire("x")]),
  taken(2, "b", 2),
  commands(2, 3, ["k3", set("two")], ["k1", set("one")]),
];

const value = (
  key: string,
  text: string,
  revision: number,
  calledAt: number,
): OfficeHistory["values"][number] => ({
  name: "n",
  key,
  input: { type: "write", value: text },
  output: { type: "written", revision },
  calledAt,
  returnedAt: calledAt + 1,
});
const lease = (token: number, calledAt: number): Lease => ({
  name: "s",
  owner: `o${token}`,
  token,
  ttlMs: 100,
  calledAt,
  returnedAt: calledAt + 5,
  releasedAt: Number.POSITIVE_INFINITY,
});
const sample = (leader: string, term: number, askedAtMs: number, logSeq: number): StatusSample => ({
  askedAtMs,
  answeredAtMs: askedAtMs + 10,
  leader,
  term,
  logSeq,
});

function soundRun() {
  const locks: OfficeHistory["locks"] = [
    {
      name: "l",
      key: "k2",
      input: { type: "acquire", owner: "x" },
      output: { type: "acquired", token: 1 },
      calledAt: 0,
      returnedAt: 3,
    },
  ];
  return {
    history: {
      values: [value("k1", "one", 1, 0), value("k3", "two", 2, 10)],
      locks,
      leases: [lease(2, 0), lease(3, 100)],
      answeredAt: [],
      unexpectedErrors: [] as string[],
    },
    entries: store(BODIES),
    statuses: [sample("a", 1, 2_500, 3), sample("b", 2, 9_000, 5)],
    finalValues: [["n", "two", 2]],
  } satisfies Run;
}

test("the audit finds nothing in a sound run", () => {
  const report = audit(soundRun());
  expect(report).toMatchObject({
    counts: { operations: 5, acknowledgedWrites: 3, terms: 2, statusNamed: 2 },
  });
  expect(isSound(report)).toBe(true);
});

const stale: Recorded<never, never> = {
  name: "n",
  key: null,
  input: { type: "read" } as never,
  output: { type: "read", value: "one", revision: 1 } as never,
  calledAt: 20,
  returnedAt: 21,
};

/** A planted fault, the list that must report it, and the message. */
const PLANTED: [string, (run: ReturnType<typeof soundRun>) => Partial<Run>, keyof AuditReport, RegExp][] = [
  [
    "a stale read",
    ({ history }) => ({ history: { ...history, values: [...history.values, stale] } }),
    "notLinearizable",
    /^n: violated/,
  ],
  [
    "a lock with two holders at a time",
    ({ history }) => {
      const other = {
        ...history.locks[0]!,
        key: null,
        input: { type: "acquire", owner: "y" } as const,
        calledAt: 5,
        returnedAt: 6,
      };
      return {
        history: {
          ...history,
          locks: [...history.locks, { ...other, output: { type: "acquired", token: 2 } }],
        },
      };
    },
    "notLinearizable",
    /^l: violated/,
  ],
  [
    "an acknowledged write that is not in the log",
    ({ history }) => ({ history: { ...history, values: [...history.values, value("k9", "nine", 9, 20)] } }),
    "lost",
    /k9: .* is not in the log/,
  ],
  [
    "an answer that differs from the decision in the log",
    ({ history }) => ({
      history: { ...history, values: [value("k1", "one", 1, 0), value("k3", "two", 7, 10)] },
    }),
    "lost",
    /k3: .* was answered 7; the log says 2/,
  ],
  [
    "a key that was applied twice",
    () => ({ finalValues: [["n", "one", 3]] }),
    "appliedTwice",
    /n is 3 "one"/,
  ],
  [
    "an entry that was changed",
    ({ entries }) => ({
      entries: entries.map((each) => (each.seq === 3 ? { ...each, body: { ...each.body, at: 2 } } : each)),
    }),
    "logFaults",
    /entry 3: its chain hash/,
  ],
  [
    "a hole in the log",
    ({ entries }) => ({ entries: entries.filter(({ seq }) => seq !== 3) }),
    "logFaults",
    /entry 4: follows entry 2/,
  ],
  [
    "an office taken twice in one term",
    () => ({ entries: store([...BODIES, taken(2, "c", 4)]) }),
    "logFaults",
    /takes the office of term 2 after 2/,
  ],
  [
    "a write of an old term",
    () => ({ entries: store([...BODIES, commands(1, 4, ["k4", { type: "other" }])]) }),
    "logFaults",
    /belongs to term 1, but the office is of term 2/,
  ],
  [
    "log time that falls",
    () => ({ entries: store([...BODIES, commands(2, 2, ["k4", { type: "other" }])]) }),
    "logFaults",
    /log time falls from 3 to 2/,
  ],
  [
    "an error that no client expects",
    ({ history }) => ({ history: { ...history, unexpectedErrors: ["internal"] } }),
    "logFaults",
    /a client received: internal/,
  ],
  [
    "a lease that was cut short",
    ({ history }) => ({ history: { ...history, leases: [lease(2, 0), lease(3, 80)] } }),
    "leaseFaults",
    /token 3 was granted 15 ms before the lease of 2 ended/,
  ],
  [
    "a token that was granted twice",
    ({ history }) => ({ history: { ...history, leases: [lease(2, 0), lease(2, 100)] } }),
    "leaseFaults",
    /granted twice/,
  ],
  [
    "an answer that names a leader that never took the office",
    () => ({ statuses: [sample("c", 2, 9_000, 5)] }),
    "statusLies",
    /the log names b/,
  ],
  [
    "an answer that names a replaced leader",
    () => ({ statuses: [sample("a", 1, 4_500, 3)] }),
    "statusLies",
    /b had taken the office 500 ms before/,
  ],
  [
    "an answer that names a leader before it took the office",
    () => ({ statuses: [sample("b", 2, 4_500, 3)] }),
    "statusLies",
    /before it took the office at entry 4/,
  ],
];

test.each(PLANTED)("the audit finds %s", (_title, plant, where, message) => {
  const run = soundRun();
  const report = audit({ ...run, ...plant(run) });
  expect(isSound(report)).toBe(false);
  expect((report[where] as readonly string[]).join("\n")).toMatch(message);
});

test("the audit accepts a new lease right after the holder has released the old one", () => {
  const run = soundRun();
  const [first, second] = [{ ...lease(2, 0), releasedAt: 20 }, lease(3, 30)];
  expect(audit({ ...run, history: { ...run.history, leases: [first, second] } }).leaseFaults).toEqual([]);
});

test("the audit ends leases by the log's own time", () => {
  const { decisions } = foldLog(
    store([
      ...BODIES.slice(0, 2),
      commands(1, 1, ["k1", acquire("x")]),
      commands(1, 21, ["k2", acquire("y")]),
      commands(
        1,
        22,
        ["k3", acquire("y")],
        ["k4", { type: "lock-release", name: "l", owner: "y", token: 2 }],
      ),
    ]),
  );
  expect([...decisions.values()].map(({ result }) => result)).toEqual([1, "held by x", 2, "released"]);
});
