// The program of a worker process for tests of shifted clocks: node --import <preload that shifts Date> shifted-worker.ts
// <server> <prefix>. It echoes; a task with the input `{ failFirstMs }` fails its first attempt and asks for that wait.
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { RetryableError } from "../../src/protocol/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { createWorker } from "../../src/work/index.ts";
import { ScriptedWorkforce } from "./support.ts";

const [servers = "", prefix = ""] = process.argv.slice(2);
const [meter, log] = [createMeter(), silentLogger];
const transport = await connectNats({ servers, prefix, name: "shifted", log, meter });
const workforce = new ScriptedWorkforce(8, async ({ number, task }) => {
  const { failFirstMs } = task.input as { failFirstMs?: number };
  if (failFirstMs !== undefined && number === 1) {
    throw new RetryableError("not yet", { retryAfterMs: failFirstMs });
  }
  return Date.now();
});
const worker = createWorker({
  transport,
  meter,
  log,
  hostId: `host-${process.pid}`,
  workforce,
  capabilities: [{ name: "echo" }],
});
await worker.start();
process.stdout.write("ready\n");
process.stdin.resume().on("end", () => process.exit(0)); // ends with the test
