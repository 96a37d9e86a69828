// `down`: ends the swarm of a data directory, also when its supervisor is gone or hangs.
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { endProcess, reapSurvivors } from "../../supervisor/reap.ts";
import { dataFiles, readLockHolder, readState, removeState } from "../../supervisor/state.ts";

/** The time of the supervisor beyond its agents' drain grace, in ms: it kills processes that do not stop, and stops nats-server. */
const SUPERVISOR_MARGIN_MS = 20_000;

export const command = defineCommand({
  input: z.strictObject({
    purge: z.boolean().default(false).meta({ description: "also remove the swarm's data, logs and state" }),
  }),
  output: z.object({
    dataDir: z.string(),
    /** False when no swarm ran there. */
    stopped: z.boolean(),
    purged: z.boolean(),
  }),
  examples: ["down", "down --purge", "down --data /tmp/second"],
  async run({ config, directory, terminal }, { purge }) {
    const dataDir = resolve(directory, config.data);
    const state = readState(dataDir);
    const holder = readLockHolder(dataDir);
    if (holder !== null) {
      terminal.status("stopping; agents finish their running tasks");
      const graceMs = config.drainGraceMs + SUPERVISOR_MARGIN_MS;
      await endProcess(holder, { graceMs, group: false });
    }
    // A killed supervisor leaves its processes. The state from before the stop names them.
    const survivors = await reapSurvivors(readState(dataDir) ?? state);
    removeState(dataDir);
    rmSync(dataFiles(dataDir).lock, { force: true });
    if (purge) removeData(dataDir);
    return { dataDir, stopped: holder !== null || survivors > 0, purged: purge };
  },
  render: ({ dataDir, stopped, purged }) =>
    `${stopped ? "stopped the swarm" : "no swarm runs"} in ${dataDir}${purged ? "; its data is removed" : ""}`,
});

/** Removes the files that `up` made and nothing else; the directory too when it is empty then. */
function removeData(dataDir: string): void {
  const { root, ...made } = dataFiles(dataDir);
  for (const path of Object.values(made)) rmSync(path, { recursive: true, force: true });
  if (existsSync(root) && readdirSync(root).length === 0) rmdirSync(root);
}
