// An engine as a process of its own: `node workflow-engine.ts <server> <prefix> <id>`. It answers the message "usage" with its memory and CPU
// time, after a collection of its garbage.
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { createEngine } from "../../src/engine/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { createTaskClient } from "../../src/work/index.ts";
import { definitions } from "./workflows/definitions.ts";

/** How often the largest resident size is looked at, in ms. */
const SAMPLE_MS = 100;

const [, , servers = "", prefix = "", id = ""] = process.argv;
const meter = createMeter();
const transport = await connectNats({ servers, name: id, prefix, log: silentLogger, meter });
const tasks = createTaskClient({ transport, meter });
const engine = createEngine({ transport, meter, log: silentLogger, id, definitions, tasks });
await engine.start();
let peakBytes = 0;
setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}, SAMPLE_MS).unref();
process.on("message", (order) => {
  if (order !== "usage") return;
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { heapUsed, rss } = process.memoryUsage();
  process.send?.({ heapBytes: heapUsed, rssBytes: rss, peakBytes, cpuMs: (user + system) / 1_000 });
  peakBytes = 0;
});
process.on("SIGTERM", () => {
  void engine
    .stop()
    .then(() => transport.close())
    .then(() => process.exit(0));
});
process.send?.("ready");
