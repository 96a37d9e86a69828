import { execFile } from "node:child_process";
import { mkdtemp, readFile, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import echo from "../../../agents/echo/agent.ts";
import { ManualClock } from "../../../src/base/index.ts";
import { CancelledError } from "../../../src/protocol/index.ts";
import { programEnvironment } from "../../support/program.ts";
import { makeAttempt, perform, startHost, takeSlot, until } from "../support.ts";

afterEach(() => vi.unstubAllEnvs());

/** Makes a directory where echo may write. */
async function allowDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "murmur-echo-"));
  vi.stubEnv("MURMUR_ECHO_DIR", directory);
  return directory;
}

test.each([[{ a: [1, { b: null }] }], ["text"], [0], [null], [[]], [{ other: "$fail" }]])(
  "echo returns %j",
  async (input) => {
    const { host, stop } = await startHost(echo);
    expect(await perform(host, input)).toEqual(input);
    await stop();
  },
);

test("echo sleeps, waiting for a timer and reporting progress, and returns its input", async () => {
  const clock = new ManualClock();
  const { host, stop } = await startHost(echo, { clock });
  const { attempt, reports } = makeAttempt({ task: { input: { $sleepMs: 1_000, x: 1 } } });
  const working = takeSlot(host, "echo").perform(attempt);
  for (let part = 1; part <= 20; part++) {
    await until(() => host.status()[0]?.waiting === "timer" && reports.length === part - 1);
    clock.advance(50);
  }
  expect(await working).toEqual({ $sleepMs: 1_000, x: 1 });
  expect(reports.map(([percent]) => percent)).toEqual(Array.from({ length: 20 }, (_, n) => 5 * (n + 1)));
  await stop();
});

test("a sleeping echo is cancelled at once", async () => {
  const { host, stop } = await startHost(echo);
  const { attempt, abort } = makeAttempt({ task: { input: { $sleepMs: 60_000 } } });
  const working = takeSlot(host, "echo").perform(attempt);
  abort(new CancelledError());
  await expect(working).rejects.toMatchObject({ code: "cancelled" });
  await stop();
});

test.each([
  ["retryable", { code: "tool_failed", retryable: true }],
  ["terminal", { code: "tool_failed", retryable: false }],
  ["throw", { code: "internal", retryable: true }],
])("an order to fail with %s makes echo fail so", async (how, error) => {
  const { host, stop } = await startHost(echo);
  await expect(perform(host, { $fail: how })).rejects.toMatchObject(error);
  await stop();
});

test("a hanging echo ignores its signal", async () => {
  const { host, stop } = await startHost(echo);
  const { attempt, abort } = makeAttempt({ task: { input: { $fail: "hang" } } });
  const slot = takeSlot(host, "echo");
  let settled = false;
  void slot.perform(attempt).finally(() => {
    settled = true;
  });
  abort(new CancelledError());
  await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  slot.release();
  expect(host.status()[0]?.slots.used).toBe(0);
  await stop();
});

/** Runs echo with this `$fail` order in a process of its own. Resolves when the process has ended, or was killed. */
function runInProcess(
  how: string,
  timeout: number,
): Promise<{ code: unknown; killed: boolean; stderr: string }> {
  const agentFile = join(import.meta.dirname, "../../../agents/echo/agent.ts");
  const code = `
    const { default: echo } = await import(${JSON.stringify(agentFile)});
    await echo.perform({ id: "t", input: { $fail: "${how}" } }, { attempt: 1 }, () => {});`;
  const argv = ["--max-old-space-size=32", "--input-type=module", "-e", code];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      argv,
      { timeout, killSignal: "SIGKILL", env: programEnvironment() },
      (error, _stdout, stderr) =>
        resolve({ code: error?.code ?? error?.signal ?? 0, killed: error?.killed === true, stderr }),
    );
  });
}

test("an order to exit ends echo's process", async () => {
  expect(await runInProcess("exit", 60_000)).toMatchObject({ code: 1, killed: false });
});

test("an order to block makes echo hold the event loop forever", async () => {
  expect(await runInProcess("block", 1_500)).toMatchObject({ killed: true });
});

test("an order to allocate ends echo's process at the limit of the heap", async () => {
  const ended = await runInProcess("allocate", 100_000);
  expect(ended.killed).toBe(false);
  expect(ended.stderr).toContain("heap out of memory");
});

test("echo appends the task's id and the attempt to a file below its directory", async () => {
  const path = join(await allowDirectory(), "effects");
  const { host, stop } = await startHost(echo);
  for (const number of [1, 2]) {
    const slot = takeSlot(host, "echo");
    await slot.perform(makeAttempt({ number, task: { id: "t9", input: { $append: path } } }).attempt);
    slot.release();
  }
  expect(await readFile(path, "utf8")).toBe("t9 1\nt9 2\n");
  await stop();
});

test("echo rejects every other path: without a directory, outside it, through a link, or beside it", async () => {
  const { host, stop } = await startHost(echo);
  const refused = { code: "not_permitted", field: "input.$append", retryable: false };
  await expect(perform(host, { $append: join(tmpdir(), "x") })).rejects.toMatchObject(refused);
  const directory = await allowDirectory();
  await symlink(tmpdir(), join(directory, "out"));
  await symlink(join(tmpdir(), "elsewhere"), join(directory, "link"));
  for (const path of [
    "/etc/passwd",
    join(directory, "..", "x"),
    join(directory, "out", "x"),
    `${directory}-beside/x`,
    join(directory, "missing", "x"),
    join(directory, "link"),
    join(directory, ".."),
  ]) {
    await expect(perform(host, { $append: path }), path).rejects.toMatchObject(refused);
  }
  await stop();
});

test.each([
  ["input.$sleepMs", { $sleepMs: -1 }],
  ["input.$sleepMs", { $sleepMs: "1" }],
  ["input.$fail", { $fail: "maybe" }],
  ["input.$append", { $append: "" }],
])("echo rejects a bad order, naming %s", async (field, input) => {
  const { host, stop } = await startHost(echo);
  await expect(perform(host, input)).rejects.toMatchObject({ code: "invalid_input", field });
  await stop();
});
