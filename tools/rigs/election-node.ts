// Measures the election node on its pipe: node tools/rigs/election-node.ts [--seeds 100] [--rounds 5] [--check] Records
// all lines that the simulator sends to the nodes of its worlds. Then it sends them to one process of `murmur debug
// election-node`, as fast as the process reads them, and compares the replies byte for byte. Exit code 1 when replies
// differ, or, with --check, when the median is below the goal.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createElectionNode } from "../../src/consensus/index.ts";
import { lineBench } from "../../test/consensus/sim/line-driver.ts";
import { runSeed } from "../../test/consensus/sim/world.ts";
import { readFlags } from "./office/flags.ts";

const MAIN = join(import.meta.dirname, "../../src/app/main.ts");
/** The rate that test harnesses outside the repository rely on. */
const GOAL_LINES_PER_SECOND = 50_000;
const LINE_FEED = 0x0a;

const flags = readFlags("node tools/rigs/election-node.ts: the rate of the election node on its pipe", {
  seeds: { type: "count", default: 100, about: "simulated worlds whose lines are sent" },
  rounds: { type: "count", default: 5, about: "processes that get all lines, one after the other" },
  check: { type: "switch", about: "exit code 1 when the median is below the goal" },
});

const script = await record(flags.count("seeds"));
const rounds: number[] = [];
let identical = true;
for (let round = 0; round < flags.count("rounds"); round++) {
  const { seconds, digest } = await play(script);
  rounds.push(Math.round(script.lines / seconds));
  identical &&= digest === script.digest;
}
const linesPerSecond = rounds.toSorted((a, b) => a - b)[Math.floor(rounds.length / 2)] ?? 0;
const met = linesPerSecond >= GOAL_LINES_PER_SECOND;
process.stdout.write(
  `${JSON.stringify(
    {
      lines: script.lines,
      bytes: script.input.length,
      identical,
      linesPerSecond,
      goal: GOAL_LINES_PER_SECOND,
      met,
      rounds,
    },
    null,
    2,
  )}\n`,
);
process.exitCode = identical && (met || !flags.has("check")) ? 0 : 1;

/**
 * All lines that the simulator sends in so many seeds, node by node (each begins with init), and the digest of the
 * replies.
 */
async function record(seeds: number) {
  const chunks: string[] = [];
  const hash = createHash("sha256");
  let lines = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const talks: { said: string; replied: string }[] = [];
    const createNode = () => {
      const node = createElectionNode();
      const talk = { said: "", replied: "" };
      talks.push(talk);
      return {
        handleLine(line: string) {
          const reply = node.handleLine(line);
          talk.said += `${line}\n`;
          talk.replied += `${reply}\n`;
          lines++;
          return reply;
        },
      };
    };
    const { failure } = await runSeed(seed, lineBench(createNode));
    if (failure !== null) throw new Error(`seed ${seed} failed: ${failure}`);
    for (const { said, replied } of talks) {
      chunks.push(said);
      hash.update(replied);
    }
  }
  return { lines, input: Buffer.from(chunks.join("")), digest: hash.digest("hex") };
}

/** Sends all lines to a process after it has started, and waits for the last reply. */
async function play({ lines, input }: { lines: number; input: Buffer }) {
  const child = spawn(process.execPath, [MAIN, "debug", "election-node"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.write('{"id":0,"op":"campaign"}\n'); // The node refuses this line, because there was no init. Its reply shows that the process has started.
  await once(child.stdout, "data");
  const hash = createHash("sha256");
  let replies = 0;
  const done = new Promise<void>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`the process ended after ${replies} of ${lines} replies`)));
    child.stdout.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) replies++;
      if (replies === lines) resolve();
    });
  });
  const startedMs = performance.now();
  child.stdin.write(input);
  await done;
  const seconds = (performance.now() - startedMs) / 1_000;
  child.removeAllListeners("exit");
  child.stdin.end();
  await once(child, "exit");
  return { seconds, digest: hash.digest("hex") };
}
