// Measures the cost of open consoles for an API: each one does as the page does, a WebSocket for hints and reads of its view.
//
//   node tools/rigs/consoles.ts --pid PID [--url URL] [--consoles 20] [--seconds 30] [--view problems|agents]
//
// PID is the api process, whose CPU time is read from /proc before and after.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";

/** Clock ticks per second in /proc/PID/stat: Linux fixes USER_HZ at 100 (proc(5)). */
const TICKS_PER_SECOND = 100;
/** The reads of each view, with the time between two of them in ms, as console/src/views has them. */
const VIEWS: Readonly<Record<string, { path: string; everyMs: number; events: string }>> = {
  problems: { path: "/v1/overview", everyMs: 1_000, events: "kind=office" },
  agents: { path: "/v1/agents?kept=true", everyMs: 2_000, events: "kind=agent" },
};

const { values } = parseArgs({
  options: {
    pid: { type: "string" },
    url: { type: "string", default: "http://127.0.0.1:7070" },
    consoles: { type: "string", default: "20" },
    seconds: { type: "string", default: "30" },
    view: { type: "string", default: "problems" },
  },
});
const view = VIEWS[values.view];
if (values.pid === undefined || view === undefined) {
  process.stderr.write(
    "consoles: --pid must name the api process, and --view must be problems or agents; see the head of this file\n",
  );
  process.exit(2);
}

function cpuSeconds(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const stop = new AbortController();
let answers = 0;
let bytes = 0;

/** One console, until the end. */
async function openConsole({ path, everyMs, events }: (typeof VIEWS)[string], at: number): Promise<void> {
  const socket = new WebSocket(`${values.url.replace(/^http/, "ws")}/v1/events?${events}`);
  stop.signal.addEventListener("abort", () => socket.close());
  await setTimeout((everyMs * at) / Number(values.consoles)); // consoles are not opened at one moment
  while (!stop.signal.aborted) {
    const answer = await fetch(values.url + path);
    bytes += (await answer.arrayBuffer()).byteLength;
    answers++;
    await setTimeout(everyMs);
  }
}

async function measure(count: number, seconds: number, pid: string): Promise<number> {
  const opened = view === undefined ? [] : Array.from({ length: count }, (_, at) => openConsole(view, at));
  const before = cpuSeconds(pid);
  await setTimeout(seconds * 1_000);
  const used = cpuSeconds(pid) - before;
  if (count > 0) stop.abort();
  await Promise.all(opened);
  return used / seconds;
}

const seconds = Number(values.seconds);
const idle = await measure(0, seconds, values.pid);
const busy = await measure(Number(values.consoles), seconds, values.pid);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
process.stdout.write(
  `${values.consoles} consoles, view ${values.view}: ${answers} answers, ${(bytes / 1e6).toFixed(1)} MB; the api process used ${percent(idle)} of a core without them, ${percent(busy)} with them: ${percent(busy - idle)} for all\n`,
);
