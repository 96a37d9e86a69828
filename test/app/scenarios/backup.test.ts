// The way of docs/operate/backup.md on one machine: a copy of the stopped server's store, restored into an empty directory, has results,
// dead letters, decisions of the office and the whole audit log.
import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scaled } from "../../support/scale.ts";
import { setupWorld } from "../support.ts";

// Two starts of a swarm and a dozen commands: the nightly run alone pays for them.
test.runIf(scaled(0, 1) === 1)(
  "a restored copy has the result, the dead letter, the schedule and the audit log, and works on",
  async () => {
    const world = setupWorld();
    const up = "--coordinators 1 --agents echo";
    const swarm = await world.up(up);
    const run = async (args: string) => {
      const ran = await world.run(`${args} --json`);
      expect(ran.exitCode, `${args}: ${ran.stdout}${ran.stderr}`).toBe(0);
      return ran.json();
    };
    await run("submit echo --id kept --input 7 --wait");
    const failed = await world.run(
      'submit echo --id lost --input {"$fail":"terminal"} --retries 0 --wait --json',
    );
    expect(failed.exitCode).toBe(1);
    await run("schedule set nightly --cron 0%3%*%*%* --capability echo --input 1");
    const nats = join(swarm.dataDir, "nats");
    const copy = join(world.directory, "backup-nats");
    await world.run("down");
    cpSync(nats, copy, { recursive: true });
    await world.run("down --purge");

    cpSync(copy, nats, { recursive: true });
    await world.up(up);
    expect(await run("task show kept")).toMatchObject({ state: "completed" });
    expect(JSON.stringify(await run("dead ls"))).toContain("lost");
    expect(JSON.stringify(await run("schedule ls"))).toContain("nightly");
    await run("init");
    await run("office status");
    await run("audit verify");
    await run("submit echo --id after --input 8 --wait");
    expect((await world.run("submit echo --id kept --input 9 --json")).stdout).toContain("kept"); // known: it does not run again
  },
  180_000,
);
