// When a coordinator reports that it is not ready: the reasons in `/readyz`.
import { expect, test, vi } from "vitest";
import type { Stored, Transport } from "../../../src/transport/index.ts";
import { SOON, setupOffice } from "../support.ts";

const three = ["c1", "c2", "c3"];

/** The transport; its office log delivers entries that are stored from now on only after `release`. */
function holdBack(transport: Transport): { transport: Transport; release: () => void } {
  const released = Promise.withResolvers<void>();
  const log: Transport["log"] = (name) => {
    const log = transport.log(name);
    if (name !== "office") return log;
    return {
      ...log,
      async tail({ afterSeq, onStored }) {
        const { lastSeq } = await log.info();
        const hear = (stored: Stored) => {
          if (stored.seq <= lastSeq) onStored(stored);
          else void released.promise.then(() => onStored(stored));
        };
        return log.tail({ afterSeq, onStored: hear });
      },
    };
  };
  return { transport: { ...transport, log }, release: released.resolve };
}

test("a coordinator that has just started is not ready: a roll would stop the next one while this one cannot vote", async () => {
  const { start } = await setupOffice();
  const [first, second] = [await start("c1", three), await start("c2", three)];
  await vi.waitFor(() => expect(first.office.findProblem() ?? second.office.findProblem()).toBeNull(), SOON);
  const third = await start("c3", three);
  await vi.waitFor(
    () => expect(third.office.findProblem()).toMatch(/^it has just started, and takes part in elections/),
    SOON,
  );
  await vi.waitFor(() => expect(third.office.findProblem()).toBeNull(), SOON);
});

test("one of three coordinators alone is not ready, because no leader is known; with a second one both are", async () => {
  const { start } = await setupOffice();
  const first = await start("c1", three);
  await vi.waitFor(() => expect(first.office.findProblem()).toBe("no leader is known"), SOON);
  const second = await start("c2", three);
  const problems = () => [first, second].map(({ office }) => office.findProblem());
  await vi.waitFor(() => expect(problems()).toEqual([null, null]), SOON);
});

test("a coordinator with more than 1,000 entries to apply is not ready, and reports their number; then it is ready", async () => {
  const { start, connect } = await setupOffice();
  const [first, second] = [await start("c1", three), await start("c2", three)];
  const holder = () => [first, second].find(({ office }) => office.tenure !== null);
  await vi.waitFor(() => expect(holder()).toBeDefined(), SOON);
  const { transport, release } = holdBack(await connect());
  const { office } = await start("c3", three, {}, { transport });
  await vi.waitFor(() => expect(office.findProblem()).toBeNull(), SOON);

  const appliedSeq = () => Math.max(...[first, second].map((each) => each.office.appliedSeq));
  for (let value = 0; appliedSeq() <= office.appliedSeq + 1_000; value++) {
    const key = `k${value}`;
    await vi.waitFor(() => holder()!.office.submit(key, { type: "config-set", name: "a", value }), SOON);
  }
  await vi.waitFor(
    () => expect(office.findProblem()).toMatch(/^1\d{3} entries of the control log are not applied yet$/),
    SOON,
  );
  release();
  await vi.waitFor(() => expect(office.findProblem()).toBeNull(), SOON);
  expect(office.appliedSeq).toBeGreaterThan(1_000);
});
