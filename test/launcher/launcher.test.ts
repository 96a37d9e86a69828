import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";

const launcher = join(import.meta.dirname, "../../murmur");
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** The stand-in for the program: prints its arguments, then exits with a given code or waits for SIGTERM. */
const PROGRAM = `
if (process.argv[2] === "wait") {
  process.on("SIGTERM", () => process.exit(7));
  setTimeout(() => process.exit(1), 60_000);
}
process.stdout.write(JSON.stringify({ arguments: process.argv.slice(2) }));
if (process.argv[2] === "exit") process.exit(Number(process.argv[3]));
`;

/** An npm that installs nothing and records its calls, slowly enough for two launchers to meet. */
const NPM = `#!/bin/sh
echo "$*" >>"$NPM_CALLS"
rm -rf node_modules && mkdir -p node_modules/node/bin && sleep 0.3
[ -z "\${NPM_FAILS:-}" ] || exit 1
ln -s "$REAL_NODE" node_modules/node/bin/node
`;

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A small checkout, in a folder with a space in its name, with the real launcher and stand-ins for the rest. */
function setup(options: { installed?: boolean; tools?: string[] } = {}) {
  const home = mkdtempSync(join(tmpdir(), "murmur launcher "));
  cleanups.push(() => rmSync(home, { recursive: true, force: true }));
  const checkout = join(home, "check out");
  const calls = join(home, "npm-calls");
  writeFiles(checkout, { "package-lock.json": "{}\n", "tools/build/run.ts": PROGRAM });
  copyFileSync(launcher, join(checkout, "murmur"));
  if (options.installed !== false) {
    mkdirSync(join(checkout, "node_modules/node/bin"), { recursive: true });
    symlinkSync(process.execPath, join(checkout, "node_modules/node/bin/node"));
    writeFiles(checkout, { "node_modules/.murmur-complete": `${sha256("{}\n")}\n` });
  }
  const bin = join(home, "bin");
  writeFiles(bin, { npm: NPM });
  chmodSync(join(bin, "npm"), 0o755);
  if (options.tools?.includes("npm") === false) rmSync(join(bin, "npm"));
  if (options.tools?.includes("node") !== false) symlinkSync(process.execPath, join(bin, "node"));
  for (const tool of [
    "sh",
    "rm",
    "mkdir",
    "mv",
    "ln",
    "sleep",
    "readlink",
    "sha256sum",
    "shasum",
    "perl",
    "flock",
    "env",
  ]) {
    const found = findOnPath(tool);
    if (found !== undefined) symlinkSync(found, join(bin, tool));
  }
  const environment = { PATH: bin, HOME: home, NPM_CALLS: calls, REAL_NODE: process.execPath };
  const run = (args: string[], more: Record<string, string> = {}, file = join(checkout, "murmur")) =>
    new Promise<Outcome>((resolve) => {
      const child = execFile(
        file,
        args,
        { cwd: home, env: { ...environment, ...more } },
        (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
      );
      child.stdin?.end();
    });
  const countInstalls = () => (existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n").length : 0);
  return { home, checkout, environment, run, countInstalls };
}

function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

function findOnPath(tool: string): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, tool))
    .find((file) => existsSync(file));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

test("with everything installed the launcher starts the program and prints nothing itself", async () => {
  const { run } = setup();
  expect(await run(["exit", "5", "a b"])).toEqual({
    code: 5,
    stdout: '{"arguments":["exit","5","a b"]}',
    stderr: "",
  });
});

test("the launcher finds its checkout through symlinks, from any directory", async () => {
  const { run, home, checkout } = setup();
  symlinkSync(join("check out", "murmur"), join(home, "first"));
  symlinkSync("first", join(home, "second"));
  expect((await run(["exit", "0"], {}, join(home, "second"))).code).toBe(0);
  expect(existsSync(join(checkout, "node_modules"))).toBe(true);
});

test("a signal to the launcher reaches the program", async () => {
  const { checkout, environment } = setup();
  const child = spawn(join(checkout, "murmur"), ["wait"], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGTERM");
  expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(7);
});

test("two launchers at the same time repeat an install without a marker once", async () => {
  const { run, checkout, countInstalls } = setup();
  rmSync(join(checkout, "node_modules/.murmur-complete"));
  const [first, second] = await Promise.all([run(["exit", "0"]), run(["exit", "0"])]);
  expect([first?.code, second?.code]).toEqual([0, 0]);
  expect(countInstalls()).toBe(1);
  expect(readFileSync(join(checkout, "node_modules/.murmur-complete"), "utf8")).toBe(`${sha256("{}\n")}\n`);
});

test("a marker of another lockfile does not count as an install", async () => {
  const { run, checkout, countInstalls } = setup();
  writeFiles(checkout, { "package-lock.json": "{ }\n" });
  expect((await run(["exit", "0"])).code).toBe(0);
  expect(countInstalls()).toBe(1);
});

test("packages of another lockfile behind a link are refused and stay as they are", async () => {
  const { run, home, checkout, countInstalls } = setup();
  renameSync(join(checkout, "node_modules"), join(home, "shared"));
  symlinkSync("../shared", join(checkout, "node_modules"));
  expect((await run(["exit", "0"])).code).toBe(0);
  writeFiles(checkout, { "package-lock.json": "{ }\n" });
  const refused = await run(["exit", "0"]);
  expect(refused).toMatchObject({ code: 3, stdout: "" });
  expect(refused.stderr).toMatch(/node_modules is a link to \.\.\/shared[\s\S]*remove the link/);
  expect(countInstalls()).toBe(0);
  expect(existsSync(join(home, "shared/.murmur-complete"))).toBe(true);
});

test("a failed install leaves no marker, prints the next steps, and is repeated", async () => {
  const { run, checkout, countInstalls } = setup({ installed: false });
  const failed = await run(["exit", "0"], { NPM_FAILS: "1" });
  expect(failed).toMatchObject({ code: 3, stdout: "" });
  expect(failed.stderr).toMatch(/npm ci failed[\s\S]*no network/);
  expect(existsSync(join(checkout, "node_modules/.murmur-complete"))).toBe(false);
  expect((await run(["exit", "0"])).code).toBe(0);
  expect(countInstalls()).toBe(2);
});

test("SIGTERM during an install also ends npm, and leaves no marker", async () => {
  const { checkout, environment, countInstalls } = setup({ installed: false });
  const child = spawn(join(checkout, "murmur"), ["exit", "0"], {
    env: environment,
    stdio: "ignore",
  });
  await vi.waitFor(() => expect(countInstalls()).toBe(1), { timeout: 60_000 });
  child.kill("SIGTERM");
  expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(143);
  expect(existsSync(join(checkout, "node_modules/.murmur-complete"))).toBe(false);
});

test.each([
  ["node", ["npm"]],
  ["npm", ["node"]],
])("without %s it cannot install, exits 3 and says how to get it", async (missing, tools) => {
  const { run } = setup({ installed: false, tools });
  const outcome = await run(["exit", "0"]);
  expect(outcome).toMatchObject({ code: 3, stdout: "" });
  expect(outcome.stderr).toContain(`no ${missing} on the PATH`);
});

test("the launcher leaves nats-server to the program, which installs it, and starts `test` from its own file", async () => {
  const { run, checkout } = setup();
  writeFiles(checkout, { "tools/build/test.ts": `process.stdout.write("tests " + process.argv.slice(2));` });
  expect(await run(["up"])).toEqual({ code: 0, stdout: '{"arguments":["up"]}', stderr: "" });
  expect(await run(["test", "some"])).toEqual({ code: 0, stdout: "tests some", stderr: "" });
});
