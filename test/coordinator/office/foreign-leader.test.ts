// A change of the list of coordinators, one coordinator after the other: 3 → 5 and back. Nothing but the readiness of each lets an
// orchestrator go on.
import { expect, onTestFinished, test, vi } from "vitest";
import { silentLogger } from "../../../src/base/index.ts";
import { createForeignLeaderWatch, createOfficeClient, NO_LEADER } from "../../../src/coordinator/index.ts";
import { type Coordinator, SOON, setupOffice } from "../support.ts";

const THREE = ["c0", "c1", "c2"];
const FIVE = [...THREE, "c3", "c4"];

/** A swarm whose coordinators are ready as the process says. */
async function setup() {
  const swarm = await setupOffice();
  const warn = vi.fn();
  const startOne = async (id: string, members: readonly string[]) => {
    const coordinator = await swarm.start(id, members);
    const watch = createForeignLeaderWatch({
      office: coordinator.office,
      client: createOfficeClient({ transport: coordinator.transport }),
      members,
      log: { ...silentLogger, warn },
      times: { askAfterMs: 200, lookIntervalMs: 50 },
    });
    await watch.service.start();
    onTestFinished(() => watch.service.stop());
    const untilReady = () =>
      vi.waitFor(() => {
        const problem = coordinator.office.findProblem();
        expect(problem === NO_LEADER && watch.problem() !== null ? null : problem).toBeNull();
      }, SOON);
    return { coordinator, watch, untilReady };
  };
  return { ...swarm, startOne, warn };
}

const leaderOf = ({ office }: Coordinator) => office.status().leader;

test("new coordinators become ready beside a leader that does not count them, and say so; then each of the others is restarted", async () => {
  const { startOne, client, warn } = await setup();
  const old = await Promise.all(THREE.map((id) => startOne(id, THREE)));
  for (const { untilReady } of old) await untilReady();
  const { leader } = await client.tenure({ timeoutMs: 60_000 });

  const added = await Promise.all(["c3", "c4"].map((id) => startOne(id, FIVE)));
  for (const { untilReady } of added) await untilReady();
  expect(added[0]!.watch.problem()).toBe(
    `${leader} holds the office and does not count this coordinator: its list of coordinators is c0,c1,c2 and that of this one c0,c1,c2,c3,c4; start every coordinator with the same MURMUR_COORDINATORS`,
  );
  expect(warn).toHaveBeenCalledTimes(2);

  const all = [...added];
  for (const { coordinator } of old.reverse()) {
    await coordinator.stop();
    const next = await startOne(coordinator.id, FIVE);
    await next.untilReady();
    all.push(next);
  }
  await vi.waitFor(() => {
    const leaders = new Set(all.map(({ coordinator }) => leaderOf(coordinator)));
    expect(leaders.size).toBe(1);
    expect(leaders).not.toContain(null);
    expect(all.map(({ watch }) => watch.problem())).toEqual(FIVE.map(() => null));
  }, SOON);
  expect((await client.tenure({ timeoutMs: 60_000 })).members).toEqual(FIVE);
}, 120_000);

test("a coordinator that is alone with its list, without a leader anywhere, stays unready", async () => {
  const { startOne } = await setup();
  const { coordinator, watch } = await startOne("c0", THREE);
  await vi.waitFor(() => expect(coordinator.office.findProblem()).toBe(NO_LEADER), SOON);
  const looks = vi.spyOn(coordinator.office, "status");
  await vi.waitFor(() => expect(looks.mock.calls.length).toBeGreaterThan(10), SOON);
  expect(watch.problem()).toBeNull();
});
