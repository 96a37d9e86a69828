import { expect, onTestFinished, test, vi } from "vitest";
import { createIsolationWatch } from "../../../src/coordinator/index.ts";
import { type CoordinatorStatus, SwarmError } from "../../../src/protocol/index.ts";

async function setup(status: () => Partial<CoordinatorStatus>) {
  const changeServer = vi.fn();
  const office = { status: vi.fn(() => status() as CoordinatorStatus) };
  const times = { leaveAfterMs: 20, checkIntervalMs: 5 };
  const service = createIsolationWatch({ transport: { changeServer }, office, times });
  onTestFinished(() => service.stop());
  await service.start();
  return { changeServer, looks: () => office.status.mock.calls.length };
}

test("a coordinator that hears no leader leaves its server, and leaves the next one too", async () => {
  const { changeServer } = await setup(() => ({ leader: null, role: "follower" }));
  await expect.poll(() => changeServer.mock.calls.length).toBeGreaterThan(1);
});

test.each<[string, () => Partial<CoordinatorStatus>]>([
  ["a leader is known", () => ({ leader: "a", role: "follower" })],
  ["the coordinator halted", () => ({ leader: null, role: "halted" })],
  [
    "the log is not read yet",
    () => {
      throw new SwarmError("unavailable", "not read");
    },
  ],
])("it stays while %s", async (_what, status) => {
  const { changeServer, looks } = await setup(status);
  await expect.poll(looks).toBeGreaterThan(10);
  expect(changeServer).not.toHaveBeenCalled();
});
