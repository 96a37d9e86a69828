// Measures the cost of the audit log: node tools/rigs/audit.ts [--help]. Exit code 1 if a goal is missed.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createAuditWriter, listAudit, verifyAudit } from "../../src/audit/index.ts";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { startNatsServer } from "../../test/support/nats-server.ts";
import { type Figure, makeFigure } from "./office/figures.ts";
import { printReport, readFlags, tellProgress } from "./office/flags.ts";

const flags = readFlags(
  "node tools/rigs/audit.ts: one nats-server, and one process that writes and verifies the audit log.",
  {
    entries: { type: "count", default: 20_000, about: "number of entries to write and verify" },
  },
);

/** The number of notes between two waits: below the limit of a writer's queue (1,024). */
const BATCH = 500;
/** The number of entries between two reports of progress. */
const PROGRESS = 5_000;
/** The longest wait for the writer: longer than any run takes. */
const PATIENCE_MS = 600_000;
/** About the size of an equivocation's evidence. */
const FACTS = { command: "measure", outcome: "x".repeat(900) };

const server = await startNatsServer();
const transport = await connectNats({
  servers: server.url,
  name: "audit measurement",
  prefix: "murmur",
  log: silentLogger,
  meter: createMeter(),
});
await transport.init();
try {
  printReport(flags, [...(await measureWriting()), ...(await measureReading())]);
} finally {
  await transport.close();
  await server.stop();
}

async function measureWriting(): Promise<Figure[]> {
  const parts = { transport, role: "tool", processId: "tool-1", version: "1", log: silentLogger };
  const writer = createAuditWriter({ ...parts, meter: createMeter() });
  const sent: number[] = [];
  const queued: number[] = [];
  const startedMs = performance.now();
  const count = flags.count("entries");
  for (let index = 0; index < count; index++) {
    const beganMs = performance.now();
    writer.audit({ kind: "office-command", facts: FACTS });
    (index % BATCH === 0 ? sent : queued).push((performance.now() - beganMs) * 1_000);
    if (index % BATCH === BATCH - 1) await writer.flush(PATIENCE_MS);
    if (index % PROGRESS === 0) tellProgress(`wrote ${index} of ${count}`);
  }
  await writer.service.stop();
  const perSecond = count / ((performance.now() - startedMs) / 1_000);
  return [
    makeFigure({ name: "a note that is sealed and sent in its turn", unit: "µs", values: sent }),
    makeFigure({ name: "a note that waits behind others", unit: "µs", values: queued }),
    makeFigure({ name: "entries stored, one at a time", unit: "/s", values: [perSecond] }),
  ];
}

async function measureReading(): Promise<Figure[]> {
  const before = measureLive();
  let highest = before;
  const startedMs = performance.now();
  const { messages, faultCount } = await verifyAudit(transport, {
    onProgress(seen, of) {
      if (seen % PROGRESS !== 0) return;
      highest = Math.max(highest, measureLive());
      tellProgress(`verified ${seen} of ${of}`);
    },
  });
  const perSecond = messages / ((performance.now() - startedMs) / 1_000);
  if (faultCount > 0)
    throw new Error(`expected an intact log, got ${faultCount} faults; run murmur audit verify`);
  const listedMs = performance.now();
  await listAudit(transport, { limit: 100 });
  const listMs = performance.now() - listedMs;
  return [
    makeFigure({ name: "entries verified", unit: "/s", values: [perSecond] }),
    makeFigure({
      name: "live memory that verifying added",
      unit: "MiB",
      values: [(highest - before) / 2 ** 20],
      goal: { text: "≤ 32 MiB", holds: ({ max }) => max <= 32 },
    }),
    makeFigure({ name: "the newest 100 entries listed", unit: "ms", values: [listMs] }),
  ];
}

/** Returns the bytes in use after a full garbage collection, because uncollected garbage would distort the figure. */
function measureLive(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
