import { expect, onTestFinished, test } from "vitest";
import { decideBare, publishBare, voteBare } from "../../src/transport/bare-loop.ts";
import { SOON, startSwarm, TEST_TIMEOUT_MS, text } from "./support.ts";

test(
  "the bare loop of ballots asks five seats about each task and ends each task with one answer",
  async () => {
    const { server, transport } = await startSwarm();
    const controller = new AbortController();
    const { signal } = controller;
    const loop = { servers: server.url, prefix: transport.prefix, capability: "echo", inFlight: 2 };
    const serving: Promise<void>[] = [];
    const serve = (part: typeof decideBare) =>
      new Promise<void>((onReady) => serving.push(part({ ...loop, signal, onReady })));
    onTestFinished(async () => {
      controller.abort();
      await Promise.all(serving);
    });
    await serve(decideBare);
    await serve(voteBare);

    let jobs = 0;
    const counted = { ...loop, count: 3, onJob: () => void jobs++ };
    const latencies = await publishBare({ ...counted, runId: "r", body: text('{"input":"x"}') });

    expect(jobs).toBe(3);

    expect(latencies).toHaveLength(3);
    await expect.poll(() => transport.log("placed-default").info(), SOON).toMatchObject({ messages: 0 });
    const results = await transport.log("results").subjects("murmur.result.>");
    const answers = [1, 2, 3, 4, 5].map((seat) => `murmur.result.echo.w00.r-0-s${seat}`);
    expect([...results.keys()]).toEqual(expect.arrayContaining(["murmur.result.echo.-.r-0", ...answers]));
    expect(results.size).toBe(3 * 6);
  },
  TEST_TIMEOUT_MS,
);
