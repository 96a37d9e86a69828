// A swarm for the examples, as the README starts it: `murmur up --detach`, with its data in a folder of its own. Agents of
// three kinds that tell languages come besides, for the ballots.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findNatsServer } from "../support/nats-server.ts";

const main = join(import.meta.dirname, "../../src/app/main.ts");

export interface EchoSwarm {
  /** The swarm's nats-server. */
  url: string;
  stop(): Promise<void>;
}

const AGENTS = "echo,classify-words,classify-triples,classify-endings";

/** Starts the agents and what they need. The program is run without the launcher, which could install beneath us. */
export async function startEchoSwarm(): Promise<EchoSwarm> {
  const folder = mkdtempSync(join(tmpdir(), "murmur-examples-"));
  const murmur = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], {
      cwd: folder,
      env: { ...process.env, MURMUR_NATS_SERVER: findNatsServer() },
    });
    return stdout;
  };
  const { server }: { server: string } = JSON.parse(
    await murmur("up", "--detach", "--json", "--agents", AGENTS),
  );
  return {
    url: server,
    async stop() {
      await murmur("down", "--purge");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
