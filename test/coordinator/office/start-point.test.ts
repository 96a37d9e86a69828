import { describe, expect, it, test } from "vitest";
import { genesisChain } from "../../../src/consensus/index.ts";
import { planRecovery } from "../../../src/coordinator/index.ts";
import { isReplaced, readChain, targetsReplacedLog } from "../../../src/coordinator/office/start-point.ts";
import { setupOffice } from "../support.ts";

async function setup() {
  const { transport } = await setupOffice();
  const log = transport.log("office");
  const genesis = await log.get(1);
  const { logId } = JSON.parse(new TextDecoder().decode(genesis!.data)) as { logId: string };
  return {
    transport,
    log,
    logId,
    at: (seq: number, chain: string) => isReplaced(log, { logId, seq, chain }),
  };
}

describe("the check for a replaced log", () => {
  it("finds another entry at a place that was read", async () => {
    const { log, logId, at } = await setup();
    expect(await readChain(log, 1)).toBe(genesisChain(logId, 1));
    expect(await at(1, genesisChain(logId, 1))).toBe(false);
    expect(await at(1, genesisChain("other", 1))).toBe(true);
  });

  it("has no answer when the entry is missing or cannot be read", async () => {
    const { log, at } = await setup();
    expect(await at(9, "anything")).toBeNull();
    const broken = { ...log, get: () => Promise.reject(new Error("away")) };
    expect(await isReplaced(broken, { logId: "a", seq: 1, chain: "anything" })).toBeNull();
  });
});

test("only an append that takes the office, right after the last entry read, is checked", async () => {
  const { log, logId } = await setup();
  const other = { logId, seq: 1, chain: genesisChain("other", 1) };
  const ask = (type: string, expectedLastSeq: number) =>
    targetsReplacedLog(log, other, { entry: { type }, expectedLastSeq });
  expect(await ask("office-taken", 1)).toBe(true);
  expect(await ask("commands", 1)).toBe(false);
  expect(await ask("office-taken", 2)).toBe(false);
  expect(
    await targetsReplacedLog(
      log,
      { ...other, chain: genesisChain(logId, 1) },
      { entry: { type: "office-taken" }, expectedLastSeq: 1 },
    ),
  ).toBe(false);
});

test("a check that gets no reply has no answer, and does not block", async () => {
  const { log, logId } = await setup();
  const silent = { ...log, get: () => new Promise<never>(() => undefined) };
  const place = { logId, seq: 1, chain: genesisChain(logId, 1) };
  const look = targetsReplacedLog(silent, place, { entry: { type: "office-taken" }, expectedLastSeq: 1 });
  expect(await look).toBeNull();
});

describe("a recovery", () => {
  it("does not continue another log than the log of the snapshots, even if no snapshot can be read", async () => {
    const { transport, logId } = await setup();
    await transport.snapshots.put(`lost.1.5.${"0".repeat(64)}`, new TextEncoder().encode("damaged"));
    await expect(planRecovery(transport, [])).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining(`the log is another (${logId})`),
    });
  });
});
