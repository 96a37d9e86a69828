import { expect, it } from "vitest";
import { seededChance, systemClock } from "../../../src/base/index.ts";
import { type LogAppend, LogStore } from "../../../src/engine/stores/log-store.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectMemory, type Log, MemoryServer, type Transport } from "../../../src/transport/index.ts";

it("a log that is rolled up while it is read is read again, and is not empty", async () => {
  const raw = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  await raw.init();
  let rollUp: (() => Promise<unknown>) | null = null;
  const log = raw.log("workflows");
  /** A log that is replaced while a reader reads it. */
  const replaced: Log = {
    ...log,
    async *read(options) {
      const all = [];
      for await (const stored of log.read(options)) all.push(stored);
      const first = rollUp;
      rollUp = null;
      await first?.();
      for (const { seq } of first === null ? [] : all) if ((await log.get(seq)) === null) return;
      yield* all;
    },
  };
  const transport = new Proxy(raw, {
    get: (target, name) => (name === "log" ? () => replaced : Reflect.get(target, name, target)),
  }) as Transport;
  const subjects = createSubjects("murmur");
  const store = new LogStore({ transport, subjects, clock: systemClock, chance: seededChance(1) });
  const { signal } = new AbortController();
  const entry = (text: string, tip: number): LogAppend => ({
    texts: [text],
    chain: text,
    summary: { id: "r" } as LogAppend["summary"],
    tip,
    isRollup: false,
    ttlMs: null,
  });
  await store.append("r", entry("one", 0), signal);
  await store.append("r", entry("two", 1), signal);
  rollUp = () => store.append("r", { ...entry("one", 2), texts: ["one", "two"], isRollup: true }, signal);
  expect(await store.read("r")).toMatchObject({ texts: ["one", "two"], tip: 3, messages: 1 });
});
