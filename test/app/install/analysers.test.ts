import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createTerminal } from "../../../src/app/cli/terminal.ts";
import { installAnalysers } from "../../../src/app/install/analysers.ts";

/** A stand-in for npm: records its arguments, and installs one package into the folder of --prefix. */
const NPM = `#!/bin/sh
echo "$*" >>"$HOME/calls"
mkdir -p "$3/node_modules/eslint"
[ -z "$NPM_FAILS" ] || { echo "npm error: no route to the registry"; exit 1; }
`;

function setup(more: Record<string, string> = {}) {
  const home = mkdtempSync(join(tmpdir(), "murmur-analysers-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const [bin, folder] = [join(home, "bin"), join(home, "node_modules/murmur-swarm/analysers")];
  mkdirSync(bin);
  mkdirSync(folder, { recursive: true });
  for (const tool of ["sh", "mkdir"]) symlinkSync(`/bin/${tool}`, join(bin, tool));
  writeFileSync(join(bin, "npm"), NPM);
  chmodSync(join(bin, "npm"), 0o755);
  writeFileSync(join(folder, "package.json"), "{}");
  writeFileSync(join(folder, "package-lock.json"), "lock 1");
  const ports = {
    environment: { PATH: bin, HOME: home, ...more },
    terminal: createTerminal({ quiet: true }),
    signal: new AbortController().signal,
  };
  const calls = () =>
    existsSync(join(home, "calls")) ? readFileSync(join(home, "calls"), "utf8").trim().split("\n") : [];
  return { folder, ports, calls, bin };
}

test("the analysers are installed beside, with a marker of the lockfile, once for two reviews, and again for another lockfile", async () => {
  const { folder, ports, calls } = setup();
  mkdirSync(join(folder, "node_modules/half"), { recursive: true });
  await Promise.all([installAnalysers(ports, folder), installAnalysers(ports, folder)]);
  expect(calls()).toEqual([expect.stringMatching(/^ci --prefix \S+\/\.install-\S+ --ignore-scripts /)]);
  expect(readdirSync(folder).sort()).toEqual(["node_modules", "package-lock.json", "package.json"]);
  expect(readdirSync(join(folder, "node_modules")).sort()).toEqual([".murmur-complete", "eslint"]);
  expect(readFileSync(join(folder, "node_modules/.murmur-complete"), "utf8")).toBe(
    `${createHash("sha256").update("lock 1").digest("hex")}\n`,
  );
  writeFileSync(join(folder, "package-lock.json"), "lock 2");
  await installAnalysers(ports, folder);
  expect(calls()).toHaveLength(2);
});

test("a failed install changes nothing, and says why", async () => {
  const { folder, ports } = setup({ NPM_FAILS: "1" });
  mkdirSync(join(folder, "node_modules/old"), { recursive: true });
  await expect(installAnalysers(ports, folder)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/analysers failed: npm error: no route[\s\S]*npm config set proxy/),
  });
  expect(readdirSync(join(folder, "node_modules"))).toEqual(["old"]);
  expect(readdirSync(folder).sort()).toEqual(["node_modules", "package-lock.json", "package.json"]);
});

test("without npm, and behind a link, the next step is told", async () => {
  const { folder, ports, bin, calls } = setup();
  rmSync(join(bin, "npm"));
  await expect(installAnalysers(ports, folder)).rejects.toThrow(/no npm on the PATH/);
  symlinkSync(bin, join(folder, "node_modules"));
  await expect(installAnalysers(ports, folder)).rejects.toThrow(/node_modules is a link to .*\/bin, whose/);
  expect(readdirSync(bin)).toEqual(["mkdir", "sh"]);
  expect(calls()).toEqual([]);
});
