import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  type ControlRequest,
  callSupervisor,
  createControl,
} from "../../../../src/app/supervisor/control/control.ts";
import { silentLogger } from "../../../../src/base/index.ts";
import { SwarmError } from "../../../../src/protocol/index.ts";

const RESTART: ControlRequest = { type: "restart", names: ["echo"], roleFiles: {} };

const SILENCE_LIMIT_MS = 200;

async function setup(
  perform: (request: ControlRequest, onStep: (step: string) => void) => Promise<unknown>,
  folder = "",
) {
  const root = mkdtempSync(join(tmpdir(), "murmur-control-"));
  mkdirSync(join(root, folder), { recursive: true });
  const control = createControl({ path: join(root, folder, "control.sock"), log: silentLogger, perform });
  await control.start();
  onTestFinished(async () => {
    await control.stop();
    rmSync(root, { recursive: true, force: true });
  });
  const steps: string[] = [];
  const call = (signal = new AbortController().signal) =>
    callSupervisor(control.path, RESTART, {
      signal,
      onStep: (step) => steps.push(step),
      silenceLimitMs: SILENCE_LIMIT_MS,
    });
  return { control, call, steps };
}

test("a request gets its steps and its answer, and only the owner may send one", async () => {
  const { control, call, steps } = await setup(async (request, onStep) => {
    onStep("one");
    onStep("two");
    return { got: request };
  });
  expect(await call()).toEqual({ got: RESTART });
  expect(steps).toEqual(["one", "two"]);
  expect(statSync(control.path).mode & 0o777).toBe(0o600);
});

test("an error keeps its code and field", async () => {
  const { call } = await setup(async () => {
    throw new SwarmError("not_found", "no such role", { field: "roles" });
  });
  await expect(call()).rejects.toMatchObject({ code: "not_found", message: "no such role", field: "roles" });
});

test("a supervisor that ends, hangs or is not there is unavailable", async () => {
  const asked = Promise.withResolvers<void>();
  const { control, call } = await setup(() => {
    asked.resolve();
    return new Promise(() => undefined);
  });
  await expect(call()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("silent"),
  });
  const waiting = call();
  waiting.catch(() => undefined);
  await asked.promise;
  await control.stop();
  await expect(waiting).rejects.toMatchObject({ code: "unavailable" });
  await expect(call()).rejects.toMatchObject({ code: "unavailable" });
});

test("an interrupted caller stops waiting", async () => {
  const { call } = await setup(() => new Promise(() => undefined));
  await expect(call(AbortSignal.abort(new SwarmError("cancelled", "stopped")))).rejects.toMatchObject({
    code: "cancelled",
  });
});

test("a data directory with a long path has its socket elsewhere", async () => {
  const { control, call } = await setup(async () => ({ ok: true }), "long".repeat(30));
  expect(control.path.length).toBeLessThan(104);
  expect(await call()).toEqual({ ok: true });
});
