import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cpuSecondsOf } from "../../../src/app/bench/cpu.ts";

describe("the CPU time of another process", () => {
  it.skipIf(!existsSync("/proc/self/stat"))("equals the count of the process itself", () => {
    const before = process.cpuUsage();
    const seconds = cpuSecondsOf(process.pid);
    const after = process.cpuUsage();
    // The kernel counts in ticks of 10 ms, and rounds the user and the kernel time down.
    expect(seconds).toBeGreaterThan((before.user + before.system) / 1e6 - 0.03);
    expect(seconds).toBeLessThan((after.user + after.system) / 1e6 + 0.03);
  });

  it("is unknown for a process that does not exist", () => {
    expect(cpuSecondsOf(2 ** 30)).toBeNull();
  });
});
