// A swarm for the examples: `murmur up --detach` as in the README, with its data in a folder of its own. For the ballots, one
// more process runs agents of three kinds that find the language of a text.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findNatsServer } from "../support/nats-server.ts";
import { PROGRAM, programEnvironment } from "../support/program.ts";

export interface EchoSwarm {
  /** The swarm's nats-server. */
  url: string;
  stop(): Promise<void>;
}

/** The agents of the ballots. They share one process, because each process costs CPU time to start. */
const VOTERS = ["classify-words", "classify-triples", "classify-endings"];

/** Starts the swarm. It runs the program without the launcher, which might install packages into the checkout. */
export async function startEchoSwarm(): Promise<EchoSwarm> {
  const folder = mkdtempSync(join(tmpdir(), "murmur-examples-"));
  const options = {
    cwd: folder,
    env: { ...programEnvironment(), MURMUR_NATS_SERVER: findNatsServer(), MURMUR_CREATE_CONSUMERS: "true" },
  };
  const murmur = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, [...PROGRAM, ...args], options);
    return stdout;
  };
  const { server }: { server: string } = JSON.parse(
    await murmur("up", "--detach", "--json", "--agents", "echo"),
  );
  const voters = spawn(process.execPath, [...PROGRAM, "agent", "run", ...VOTERS, "--server", server], {
    ...options,
    stdio: "ignore",
  });
  return {
    url: server,
    async stop() {
      const exit = once(voters, "exit");
      if (voters.kill()) await exit;
      await murmur("down", "--purge");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
