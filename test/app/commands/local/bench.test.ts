import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld } from "../../support.ts";

test("a benchmark with permissions refuses a file without the capability that it runs, and a scenario without a file, before it starts a server", async () => {
  const world = setupWorld();
  const path = join(world.directory, "p.yaml");
  writeFileSync(path, "version: 1\nclasses: [{ name: default, capabilities: [other] }]\n");
  const refused = [
    [`--permissions ${path}`, "no class offers the capability echo"],
    ["--permissions nowhere.yaml", "cannot be read"],
    ["--scenario permissions", "need each other"],
    [`--scenario ask --permissions ${path}`, "need each other"],
  ] as const;
  for (const [flags, text] of refused) {
    const ran = await world.call(`bench ${flags}`);
    expect(ran.exitCode, flags).toBe(2);
    expect(ran.stderr, flags).toContain(text);
  }
});
