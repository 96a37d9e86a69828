import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { loadConfig } from "../../../src/app/config.ts";
import { dataFiles, readState } from "../../../src/app/supervisor/state.ts";
import { startSupervisor } from "../../../src/app/supervisor/supervisor.ts";
import { silentLogger } from "../../../src/base/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";

// The test waits for a start of nats-server, which takes a while on a loaded machine.
vi.setConfig({ testTimeout: 60_000 });

/** The options of a swarm with a server alone. */
async function setup() {
  const data = mkdtempSync(join(tmpdir(), "on-server-"));
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const { config } = await loadConfig({ flags: {}, environment: process.env, directory: data });
  return {
    config: { ...config, data },
    roles: [],
    withApi: false,
    environment: process.env,
    log: silentLogger,
    signal: new AbortController().signal,
  };
}

test("the caller does a part of the swarm's work while the processes start, and a stop ends it", async () => {
  const asked: string[] = [];
  let ended: AbortSignal | undefined;
  const supervisor = await startSupervisor({
    ...(await setup()),
    onServer: async (server, signal) => {
      asked.push(server);
      ended = signal;
    },
  });
  expect(asked).toEqual([supervisor.state.server]);
  expect(ended?.aborted).toBe(false);
  await supervisor.stop({ now: true });
  expect(ended?.aborted).toBe(true);
});

test("a swarm that no later command changes keeps nothing for a comparison with a changed program", async () => {
  for (const isLasting of [true, false]) {
    const options = await setup();
    const supervisor = await startSupervisor({ ...options, isLasting });
    expect(existsSync(dataFiles(options.config.data).wanted)).toBe(isLasting);
    await supervisor.stop({ now: true });
  }
});

test("when the caller's part fails, the swarm does not start, and no process stays", async () => {
  const options = await setup();
  const starting = startSupervisor({
    ...options,
    onServer: async () => {
      // The state names the server before its start is awaited.
      await vi.waitFor(() => expect(readState(options.config.data)?.processes).toHaveLength(1));
      throw new SwarmError("unavailable", "no streams");
    },
  });
  await expect(starting).rejects.toThrow("no streams");
  expect(readState(options.config.data)).toBeNull();
});
