// The CPU time of one side of a comparison: its serving processes, and nats-server.
import type { BenchProcess } from "./bench-child.ts";
import { cpuSecondsOf } from "./cpu.ts";

export const MICROSECONDS = 1e6;

/** CPU seconds so far: of the serving processes of one side, and of nats-server (NaN when unknown). */
interface CpuTimes {
  worker: number;
  server: number;
}

/** The CPU seconds so far. */
export async function cpuTimes(
  serving: readonly BenchProcess[],
  serverPid: number | null,
): Promise<CpuTimes> {
  const usages = await Promise.all(serving.map((part) => part.ask({ op: "usage" })));
  return {
    worker: usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    server: serverPid === null ? Number.NaN : (cpuSecondsOf(serverPid) ?? Number.NaN),
  };
}
