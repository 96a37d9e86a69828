// Waits of tasks while the clock of the host is 40 s off. The test's own clock and the server's are right.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/index.ts";
import { encode, type Result } from "../../../src/protocol/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { scaled } from "../../support/scale.ts";
import { TestSwarm, until } from "../support.ts";

let server: NatsServer;
let swarm: TestSwarm;
let host: ChildProcess | undefined;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
afterEach(async () => {
  if (host !== undefined) {
    host.stdin?.end();
    await once(host, "exit");
    host = undefined;
  }
  await swarm.stop();
});

/** Shifts `Date` before any other module loads. */
const preload = (shiftMs: number) => `data:text/javascript,
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...args) { if (args.length === 0) super(RealDate.now() + ${shiftMs}); else super(...args); }
    static now() { return RealDate.now() + ${shiftMs}; }
  };`;

async function setup(shiftMs: number) {
  swarm = new TestSwarm(server.url);
  await swarm.move();
  const client = await swarm.client();
  const program = join(import.meta.dirname, "..", "shifted-worker.ts");
  host = spawn(process.execPath, ["--import", preload(shiftMs), program, server.url, swarm.prefix], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(host.stdout!, "data");
  return client;
}

/** The result of a run, and the time that the test waited for it, by the test's clock. */
async function timed(run: Promise<Result>): Promise<{ result: Result; tookMs: number }> {
  const startMs = performance.now();
  const result = await run;
  return { result, tookMs: performance.now() - startMs };
}

/** A lower bound of waits: timers and the server's schedules may be this much early. */
const EARLY_MS = 100;

describe.each([-40_000, 40_000].slice(0, scaled(1, 2)))("on a host whose clock is %s ms ahead", (shiftMs) => {
  it("a retry of 12 s takes 12 s, a short one its own time, and a due task starts at once", async () => {
    const client = await setup(shiftMs);
    const retry = { max: 3, backoffMs: 1, factor: 1, maxBackoffMs: 1, jitter: 0 };
    const long = timed(client.run({ capability: "echo", input: { failFirstMs: 12_000 }, retry }));
    const short = timed(client.run({ capability: "echo", input: { failFirstMs: 600 }, retry }));
    const delayed = timed(client.run({ capability: "echo", input: {}, notBefore: 1_000 }));
    const transport = await swarm.connect();
    const published = timed(
      (async () => {
        const body = encode({ capability: "echo", input: {}, notBefore: 1_000 });
        await transport.log("tasks").append(`${swarm.prefix}.task.echo.normal.-.direct`, body);
        return until(() => client.result("direct").catch(() => undefined));
      })(),
    );
    for (const [run, waitMs] of [
      [short, 600],
      [delayed, 1_000],
      [published, 1_000],
      [long, 12_000],
    ] as const) {
      const { result, tookMs } = await run;
      expect(result).toMatchObject({ status: "completed" });
      expect(Number(result.output) - Date.now()).toBeGreaterThan(shiftMs - 20_000); // the host's clock is shifted
      expect(tookMs).toBeGreaterThan(waitMs - EARLY_MS);
      expect(tookMs).toBeLessThan(waitMs + 9_000); // a loaded machine is slow; a skew would add 40 s
    }
    const { result } = await long;
    expect(Math.abs(Date.parse(result.finishedAt) - Date.now())).toBeLessThan(15_000);
  }, 90_000);
});

it("a host whose clock is behind and cannot be corrected delays no task again that the server has delivered as due", async () => {
  swarm = new TestSwarm(server.url);
  await swarm.move();
  const behind = { ...systemClock, now: () => Date.now() - 40_000 };
  await swarm.work(async () => "done", { clock: behind });
  const client = await swarm.client();
  const { result, tookMs } = await timed(client.run({ capability: "echo", notBefore: 500 }));
  expect(result.status).toBe("completed");
  expect(tookMs).toBeLessThan(15_000);
  expect((await (await swarm.connect()).log("later").info()).lastSeq).toBe(2); // the schedule, and its one delivery
});
