import { expect, test, vi } from "vitest";
import { SOON, setupOffice } from "../support.ts";

const three = ["c1", "c2", "c3"];

test("any coordinator answers a stale read, with its sequence and age", async () => {
  const { startAll, client } = await setupOffice();
  const all = await startAll(three);
  await client.write("config-set", { name: "a", value: 1 }, { timeoutMs: 60_000 });
  const { logSeq } = await client.tenure();
  await vi.waitFor(
    () => expect(all.map(({ office }) => office.appliedSeq >= logSeq)).not.toContain(false),
    SOON,
  );
  const { values, seq, ageMs } = await client.readStale("config");
  expect(values).toMatchObject([{ name: "a", value: 1 }]);
  expect(seq).toBeGreaterThanOrEqual(logSeq);
  expect(ageMs).toBeGreaterThanOrEqual(0);
  expect(ageMs).toBeLessThan(SOON.timeout);
});

test("a stale read is answered while no coordinator can hold the office", async () => {
  const { startAll, client } = await setupOffice();
  const all = await startAll(three);
  await client.write("config-set", { name: "a", value: 1 }, { timeoutMs: 60_000 });
  const [last, ...others] = all;
  await vi.waitFor(async () => {
    expect(last?.office.state.config.byName.get("a")?.value).toBe(1);
  }, SOON);
  for (const other of others) await other.stop();
  // If it holds the office, it leaves it when it has not heard the others for an election timeout.
  await vi.waitFor(() => expect(last?.office.tenure).toBeNull(), SOON);
  await expect(client.tenure({ timeoutMs: 2_000 })).rejects.toMatchObject({ code: "unavailable" });
  expect(await client.readStale("config", { name: "a" })).toMatchObject({ values: [{ value: 1 }] });
});

test("the age of a stale read grows while entries are missing", async () => {
  const { start, transport } = await setupOffice();
  const { office } = await start("c1", three);
  await vi.waitFor(() => expect(office.ageMs).toBeLessThan(1_000), SOON);
  const log = transport.log("office");
  const append = log.append.bind(log);
  await append("murmur.log.office", new TextEncoder().encode("{}")); // the coordinator halts over this entry
  await vi.waitFor(() => expect(() => office.ageMs).toThrow(/halted/), SOON);
});

test("a bad read is refused before the office does anything for it, and an unknown read is not found", async () => {
  const { start, client } = await setupOffice();
  const { office } = await start("c1", ["c1"]);
  await client.tenure();
  const before = office.appliedSeq;
  const misspelt = { nam: "a" } as object;
  const bad = { code: "invalid_input", field: "nam" };
  await expect(client.read("config", misspelt)).rejects.toMatchObject(bad);
  await expect(client.readStale("config", misspelt)).rejects.toMatchObject(bad);
  await expect(client.readStale("nothing" as "config")).rejects.toMatchObject({ code: "not_found" });
  expect(office.appliedSeq).toBe(before);
});

test("a list larger than a message comes in pages, confirmed by the log or stale", async () => {
  const { start, client, transport } = await setupOffice({ nats: true });
  await start("c1", ["c1"]);
  const names = Array.from({ length: 80 }, (_, index) => `v${String(index).padStart(2, "0")}`);
  await Promise.all(
    names.map((name) =>
      client.write("config-set", { name, value: "x".repeat(16_000) }, { timeoutMs: 60_000 }),
    ),
  );
  const { logSeq } = await client.tenure();
  const { values, ...rest } = await client.read("config");
  expect((values as { name: string }[]).map(({ name }) => name)).toEqual(names);
  expect(rest).toEqual({});
  const stale = await client.readStale("config");
  expect(stale.values).toEqual(values);
  expect(stale.seq).toBeGreaterThanOrEqual(logSeq);
  const first = await transport.bus.request(
    "murmur.office.config",
    new TextEncoder().encode('{"after":"v10"}'),
    { timeoutMs: 60_000 },
  );
  expect(JSON.parse(new TextDecoder().decode(first.data))).toMatchObject({
    values: [{ name: "v11" }, ...Array.from({ length: 15 }, () => ({}))],
    next: "v26",
  });
});

test("a stale read without a coordinator is unavailable", async () => {
  const { client } = await setupOffice();
  await expect(client.readStale("locks", {}, { timeoutMs: 50 })).rejects.toMatchObject({
    code: "unavailable",
  });
});
