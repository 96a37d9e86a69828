import { assert, constantFrom, array as list, nat, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_LISTED_FAULTS, sealEntry } from "../../src/audit/internal.ts";
import { canonicalJson, type Json } from "../../src/protocol/index.ts";
import { scaled } from "../support/scale.ts";
import { check, createKey, keyOf, makeLog, renumber } from "./support.ts";

/** Sequences of writers, one for each entry: logs of at least two entries. */
const orders = list(constantFrom("c.one", "c.two", "cli.three"), { minLength: 2, maxLength: 12 });
const text = ({ data }: { data: Uint8Array }) => Buffer.from(data).toString();
const RUNS = { numRuns: scaled(25, 100) };

describe("an untouched log", () => {
  it("is intact, in whatever order its writers wrote", () => {
    assert(
      property(orders, (order) => {
        const { faultCount, writers, messages } = check(makeLog(order));
        expect({ faultCount, messages }).toEqual({ faultCount: 0, messages: order.length });
        const entries = [...writers.values()].map(({ writer, entries: count }) => [writer, count]);
        for (const [writer, count] of entries)
          expect(order.filter((each) => each === writer)).toHaveLength(count as number);
      }),
      RUNS,
    );
  });

  it("is intact after the stream dropped its oldest entries, but not if entries are missing from a full stream", () => {
    const late = makeLog(["c.one", "c.two", "c.one", "c.one"]).slice(2);
    expect(check(late, true).names).toEqual([]);
    expect(check(late).names).toEqual(["stream-gap null", "missing 1"]);
  });
});

describe("a check finds", () => {
  it("any single changed byte", () => {
    assert(
      property(orders, nat(), nat(), nat({ max: 254 }), (order, which, where, by) => {
        const log = makeLog(order);
        const at = which % log.length;
        const data = Buffer.from(log[at]!.data);
        data[where % data.length] = (data[where % data.length]! + 1 + by) % 256;
        log[at] = { ...log[at]!, data };
        const { faults } = check(log);
        expect(faults[0]).toMatchObject({ writer: log[at].writer, streamSeq: at + 1 });
        expect(["unreadable", "changed", "foreign"]).toContain(faults[0]?.fault);
      }),
      RUNS,
    );
  });

  it("a signature that is spelled differently but decodes to the same bytes", () => {
    const log = makeLog(["c.one"]);
    const spelled = text(log[0]!).replace(/(?<="signature":"[\w-]{85})[\w-]/, (last) =>
      String.fromCharCode(last.charCodeAt(0) + 1),
    );
    const signature = (entry: string) => Buffer.from(JSON.parse(entry).signature, "base64url");
    expect(signature(spelled)).toEqual(signature(text(log[0]!)));
    expect(check([{ ...log[0]!, data: Buffer.from(spelled) }]).names).toEqual(["changed 1"]);
  });

  it("any single entry removed from the stream, except the last entry of the stream", () => {
    assert(
      property(orders, nat(), (order, which) => {
        const log = makeLog(order);
        const at = which % (log.length - 1);
        log.splice(at, 1);
        expect(check(log).names).toContain("stream-gap null");
      }),
      RUNS,
    );
  });

  it("any single entry removed from a renumbered copy, except a writer's last entry", () => {
    assert(
      property(orders, nat(), (order, which) => {
        const log = makeLog(order);
        const at = which % log.length;
        const { writer } = log[at]!;
        const isLast = !order.slice(at + 1).some((each) => each === writer);
        const seq = order.slice(0, at + 1).filter((each) => each === writer).length;
        log.splice(at, 1);
        expect(check(renumber(log)).names).toEqual(isLast ? [] : [`missing ${seq}`]);
      }),
      RUNS,
    );
  });

  it("any two entries that changed places, unless the order within each chain stayed the same", () => {
    assert(
      property(orders, nat(), nat(), (order, one, other) => {
        const log = makeLog(order);
        const [a, b] = [one % log.length, other % log.length];
        [log[a], log[b]] = [log[b]!, log[a]!];
        const ordersOf = (messages: typeof log) =>
          ["c.one", "c.two", "cli.three"].flatMap((writer) =>
            messages.filter((message) => message.writer === writer).map(text),
          );
        const hasMoved = ordersOf(log).join() !== ordersOf(makeLog(order)).join();
        expect(check(renumber(log)).faultCount > 0).toBe(hasMoved);
      }),
      RUNS,
    );
  });

  it("any single entry that is stored twice", () => {
    assert(
      property(orders, nat(), nat(), (order, which, where) => {
        const log = makeLog(order);
        const at = which % log.length;
        const to = at + 1 + (where % (log.length - at));
        log.splice(to, 0, log[at]!);
        const { faults } = check(renumber(log));
        expect(faults).toHaveLength(1);
        expect(faults[0]).toMatchObject({ writer: order[at], streamSeq: to + 1 });
        expect(["repeated", "misplaced"]).toContain(faults[0]?.fault);
      }),
      RUNS,
    );
  });

  it("an entry that another process added to a chain, however well it fits", () => {
    const log = makeLog(["c.one", "c.one"]);
    const tip = { seq: 2, hash: check(log).writers.get("c.one")!.head };
    const content = { at: "2026-01-01T00:00:00.000Z", kind: "operation", facts: {} };
    const forged = sealEntry(tip, { writer: "c.one", key: createKey(), content }).text;
    const withItsKey = canonicalJson({ ...JSON.parse(forged), key: keyOf("c.one").publicKey } as Json);
    for (const [written, name] of [
      [forged, "foreign 3"],
      [withItsKey, "changed 3"],
      ["hello", "unreadable null"],
    ] as const) {
      const message = { streamSeq: 3, writer: "c.one", data: Buffer.from(written) };
      expect(check([...log, message]).names).toEqual([name]);
    }
  });

  it("an exact copy of another writer's entry", () => {
    const [one, two] = makeLog(["c.one", "c.two"]);
    expect(check(renumber([one!, two!, { ...two!, writer: "c.one" }])).names).toEqual(["foreign 1"]);
  });

  it("a fork: two entries with the same number, both signed by their writer", () => {
    const log = makeLog(["c.one", "c.one", "c.one"]);
    const tip = { seq: 1, hash: null };
    const content = { at: "2026-01-01T00:00:00.000Z", kind: "operation", facts: {} };
    const fork = (from: typeof tip) =>
      Buffer.from(sealEntry(from, { writer: "c.one", key: keyOf("c.one"), content }).text);
    const added = { streamSeq: 4, writer: "c.one" };
    expect(check([...log, { ...added, data: fork(tip) }]).names).toEqual(["misplaced 2"]);
    expect(check([...log, { ...added, data: fork({ seq: 3, hash: null }) }]).names).toEqual([
      "broken-link 4",
    ]);
  });

  it("the same entry as JSON that is not canonical", () => {
    const log = makeLog(["c.one"]);
    const data = Buffer.from(JSON.stringify(JSON.parse(text(log[0]!)), null, 1));
    expect(check([{ ...log[0]!, data }]).names).toEqual(["unreadable null"]);
  });
});

it("a check continues after a fault, and lists at most a hundred faults", () => {
  const order = Array.from({ length: 500 }, (_, index) => `c.w${index % 250}`);
  const changed = makeLog(order).map((message, index) =>
    index < 250 ? { ...message, data: Buffer.from("x") } : message,
  );
  const { faultCount, faults, messages } = check(changed);
  expect({ faultCount, listed: faults.length, messages }).toEqual({
    faultCount: 500, // each is unreadable, and each is missing when its chain continues
    listed: MAX_LISTED_FAULTS,
    messages: 500,
  });
});
