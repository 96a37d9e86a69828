import { mkdtemp, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { Exec } from "../../src/agent/index.ts";
import { createExec, type ExecOptions } from "../../src/bridges/index.ts";
import { CancelledError, type SwarmError } from "../../src/protocol/index.ts";

const node = process.execPath;
const { signal } = new AbortController();

afterEach(() => vi.unstubAllEnvs());

/** Makes an exec that may run Node in a directory of its own. The type `Exec` checks that it fits the agent room's port. */
async function setup(options: Partial<ExecOptions> = {}) {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "murmur-exec-")));
  const exec: Exec = createExec({ allow: [node], directories: [directory], ...options });
  const script = (code: string, ...args: string[]) => ({ argv: [node, "-e", code, ...args] as const });
  return { directory, exec, script };
}

/** The wait for a started program: it takes 40 ms, and seconds on a loaded machine. */
const SOON = { timeout: 60_000, interval: 20 };

/** Waits for the process id that a program writes into a file. */
function readPid(file: string): Promise<number> {
  return vi.waitFor(async () => {
    const pid = Number(await readFile(file, "utf8"));
    expect(pid).toBeGreaterThan(0);
    return pid;
  }, SOON);
}

/** Resolves when the process with this id has ended. */
async function waitForEnd(pid: number): Promise<void> {
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), SOON);
}

test("a command returns its output and exit code, and a non-zero code is a result", async () => {
  const { exec, script } = await setup();
  const code = "console.log('out'); console.error('err'); process.exitCode = 3";
  expect(await exec(script(code), { signal })).toMatchObject({
    exitCode: 3,
    stdout: "out\n",
    stderr: "err\n",
  });
});

test("arguments reach the program unchanged: no shell reads them", async () => {
  const { exec, script } = await setup();
  const nasty = ["$HOME; echo pwned", "`id`", "a b", "*", "--x='y'"];
  const { stdout } = await exec(
    script("console.log(JSON.stringify(process.argv.slice(1)))", "--", ...nasty),
    {
      signal,
    },
  );
  expect(JSON.parse(stdout)).toEqual(nasty);
});

test("a program that is not listed is rejected, with the field and the allowed programs", async () => {
  const { exec } = await setup();
  await expect(exec({ argv: ["sh", "-c", "true"] }, { signal })).rejects.toMatchObject({
    code: "not_permitted",
    field: "argv.0",
    message: expect.stringContaining(node),
  });
});

test("an argument with NUL is rejected with its position", async () => {
  const { exec } = await setup();
  await expect(exec({ argv: [node, "a\0b"] }, { signal })).rejects.toMatchObject({
    code: "invalid_input",
    field: "argv.1",
  });
});

test("a program that is not installed fails with tool_failed and without a retry", async () => {
  const { exec } = await setup({ allow: ["no-such-program-here"] });
  await expect(exec({ argv: ["no-such-program-here"] }, { signal })).rejects.toMatchObject({
    code: "tool_failed",
    retryable: false,
    message: expect.stringContaining("was not found"),
  });
});

test("a directory outside the allowed directories is rejected, also through a link", async () => {
  const { directory, exec, script } = await setup();
  await symlink(tmpdir(), join(directory, "link"));
  for (const cwd of [tmpdir(), join(directory, ".."), join(directory, "link"), join(directory, "missing")]) {
    await expect(exec({ ...script(""), cwd }, { signal })).rejects.toMatchObject({
      code: "not_permitted",
      field: "cwd",
    });
  }
});

test("the environment holds only the listed variables and the variables that the command sets", async () => {
  vi.stubEnv("SECRET_TOKEN", "hunter2");
  const { exec, script } = await setup({ environment: ["PATH"] });
  const { stdout } = await exec(
    { ...script("console.log(JSON.stringify(process.env))"), env: { MODE: "fast" } },
    { signal },
  );
  expect(JSON.parse(stdout)).toEqual({ PATH: process.env.PATH, MODE: "fast" });
});

test("input is written to the program's standard input", async () => {
  const { exec, script } = await setup();
  const { stdout } = await exec(
    { ...script("process.stdin.pipe(process.stdout)"), input: "hello" },
    { signal },
  );
  expect(stdout).toBe("hello");
});

test("a command over its time limit is stopped and fails with timeout", async () => {
  const { exec, script } = await setup();
  await expect(
    exec({ ...script("setInterval(() => {}, 1000)"), timeoutMs: 200 }, { signal }),
  ).rejects.toMatchObject({ code: "timeout" });
});

test("a command cannot raise the host's limit", async () => {
  const { exec, script } = await setup({ timeoutMs: 200 });
  await expect(
    exec({ ...script("setInterval(() => {}, 1000)"), timeoutMs: 60_000 }, { signal }),
  ).rejects.toMatchObject({ code: "timeout", message: expect.stringContaining("200 ms") });
});

test("a command over its output limit fails, and the message gives the limit", async () => {
  const { exec, script } = await setup();
  const endless = "const more = () => process.stdout.write('x'.repeat(65536), more); more()";
  await expect(exec({ ...script(endless), maxOutputBytes: 100_000 }, { signal })).rejects.toMatchObject({
    code: "tool_failed",
    retryable: false,
    message: expect.stringContaining("100000 bytes"),
  });
});

test("a command over its memory limit is killed", async () => {
  const { exec, script } = await setup();
  const greedy = "const hoard = []; setInterval(() => hoard.push(Buffer.alloc(20e6, 1)), 20)";
  await expect(exec({ ...script(greedy), maxMemoryBytes: 150_000_000 }, { signal })).rejects.toMatchObject({
    code: "tool_failed",
    message: expect.stringContaining("memory"),
  });
});

test("a cancelled command ends with the signal's reason, and its children also end", async () => {
  const { directory, exec } = await setup();
  const pidFile = join(directory, "child.pid");
  const child = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)";
  const parent = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit" });
    require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
    setInterval(() => {}, 1000);`;
  const controller = new AbortController();
  const running = exec({ argv: [node, "-e", parent] }, { signal: controller.signal });
  const refused = expect(running).rejects.toMatchObject({ code: "cancelled" });
  const pid = await readPid(pidFile);
  controller.abort(new CancelledError());
  await refused;
  await waitForEnd(pid);
});

test("a background process that a command started ends with the command", async () => {
  const { directory, exec } = await setup();
  const pidFile = join(directory, "child.pid");
  const parent = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
    child.unref();
    require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));`;
  expect(await exec({ argv: [node, "-e", parent] }, { signal })).toMatchObject({ exitCode: 0 });
  await waitForEnd(await readPid(pidFile));
});

test("a program that is killed from outside fails with a retryable error", async () => {
  const { exec, script } = await setup();
  await expect(exec(script("process.kill(process.pid, 'SIGKILL')"), { signal })).rejects.toMatchObject({
    code: "tool_failed",
    retryable: true,
    message: expect.stringContaining("SIGKILL"),
  });
});

test("the error of a killed or late command has the end of its stderr, which does not travel with the error", async () => {
  const { exec, script } = await setup();
  const lines = "Array.from({ length: 2000 }, (_, n) => 'line ' + (n + 1)).join('\\n')";
  const talk = `process.stderr.write(${lines}, () => process.kill(process.pid, 'SIGKILL'))`;
  const error = await exec(script(talk), { signal }).catch((thrown: unknown) => thrown as SwarmError);
  expect(error).toMatchObject({
    code: "tool_failed",
    outputTail: expect.stringMatching(/line 1999\nline 2000$/),
  });
  expect(Buffer.byteLength((error as SwarmError).outputTail ?? "")).toBeLessThanOrEqual(2_048);
  expect(JSON.stringify((error as SwarmError).toWire())).not.toContain("line 2000");
  const late = exec(
    { ...script("console.error('waiting'); setInterval(() => {}, 1000)"), timeoutMs: 500 },
    { signal },
  );
  await expect(late).rejects.toMatchObject({ code: "timeout", outputTail: "waiting" });
});

test("with an aborted signal, no program starts", async () => {
  const { directory, exec } = await setup();
  await writeFile(join(directory, "seen"), "no");
  const code = "require('node:fs').writeFileSync('seen', 'yes')";
  const aborted = AbortSignal.abort(new CancelledError());
  await expect(exec({ argv: [node, "-e", code] }, { signal: aborted })).rejects.toMatchObject({
    code: "cancelled",
  });
  expect(await readFile(join(directory, "seen"), "utf8")).toBe("no");
});
