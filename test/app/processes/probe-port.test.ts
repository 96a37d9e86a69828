import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../../src/app/config.ts";
import { openProbePort } from "../../../src/app/processes/probe-port.ts";
import { readSource } from "../../../tools/build/measures/tree.ts";

async function setup() {
  const directory = import.meta.dirname;
  const { config, sources } = await loadConfig({
    flags: { metricsPort: 0, metricsHost: "127.0.0.1" },
    environment: {},
    directory,
  });
  const controller = new AbortController();
  const port = await openProbePort({ config, sources, signal: controller.signal });
  onTestFinished(() => port.close());
  const ask = async (path: string) => {
    const answer = await fetch(`${port.url}${path}`);
    return [answer.status, await answer.text()];
  };
  return { port, ask, controller };
}

test("before a process has loaded anything, it lives, is not ready and says why, until its own routes answer", async () => {
  const { port, ask, controller } = await setup();
  expect(await ask("/livez?x=1")).toEqual([200, "ok\n"]);
  expect(await ask("/readyz")).toEqual([503, "FAIL started: loading the program\n"]);
  expect((await ask("/metrics"))[0]).toBe(503);
  controller.abort();
  expect(await ask("/readyz")).toEqual([503, "FAIL started: stopping\n"]);
  port.stage.enter("starting");
  expect(port.stage.problem).toBe("stopping");
  port.serve((_, response) => response.end("own"));
  expect(await ask("/readyz")).toEqual([200, "own"]);
});

/** The modules that a process has loaded when its probes listen, by the files that it imports at once. */
const BEFORE_LISTENING = [
  "src/app/main.ts",
  "src/app/cli/cli.ts",
  "src/app/commands/index.ts",
  "src/app/cli/session.ts",
  "src/app/cli/last-line.ts",
  "src/app/commands/local/agent-run.ts",
  "src/app/commands/local/api.ts",
  "src/app/commands/local/coordinator.ts",
  "src/app/commands/local/engine.ts",
];

test("a process loads neither NATS, HTTP libraries, metrics nor the rooms of its work before its probes listen", () => {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const walk = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { target, kind, isAtOnce } of readSource(file).imports) {
      if (!isAtOnce) continue;
      if (kind === "package") packages.add(target);
      else walk(target);
    }
  };
  for (const file of BEFORE_LISTENING) walk(file);
  expect([...packages].sort()).toEqual(["@msgpack/msgpack", "commander", "picocolors", "ulid", "zod"]);
  const rooms = new Set([...seen].map((file) => file.split("/")[1]));
  expect([...rooms].sort()).toEqual(["app", "base", "protocol"]);
});
