import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { readGroupMemory } from "../../src/bridges/group-memory.ts";

test.each(["linux", "darwin"] as const)(
  "the reader for %s finds at least the memory that a process holds",
  async (platform) => {
    const held = 60_000_000;
    const code = `const held = Buffer.alloc(${held}, 1); console.log("ready"); setInterval(() => held, 1000)`;
    const child = spawn(process.execPath, ["-e", code], {
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await once(child.stdout, "data");
      const id = child.pid as number;
      const bytes = await readGroupMemory(new Set([id]), platform);
      expect(bytes.get(id)).toBeGreaterThan(held);
      expect([...bytes.keys()]).toEqual([id]);
    } finally {
      child.kill("SIGKILL");
    }
  },
);
