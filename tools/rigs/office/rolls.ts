// Rolls all coordinators as Kubernetes rolls a StatefulSet: one at a time, the next one when the last one is ready. Measures the
// longest time without an answer of the office.
import { readFileSync } from "node:fs";
import { sleep } from "../../../src/base/index.ts";
import { watchOffice } from "../../k8s/flow.ts";
import { atMost, type Figure, makeFigure } from "./figures.ts";
import { tellProgress } from "./flags.ts";
import { PATIENCE_MS, type World } from "./world.ts";

/** The pause between two looks at `/readyz`, in ms. */
const POLL_MS = 50;

/** Rolls all coordinators `times` times; a figure has the longest gap of each roll. */
export async function measureRolls(world: World, times: number): Promise<Figure> {
  const values: number[] = [];
  for (let round = 1; round <= times; round++) {
    await world.recover();
    const office = await watchOffice(world.server);
    for (const coordinator of [...world.coordinators].reverse()) {
      await coordinator.stop();
      coordinator.start();
      await untilReady(world.logFile(coordinator.id), coordinator.pid);
    }
    const { gapMs, answers } = await office.stop();
    values.push(gapMs);
    tellProgress(`roll ${round} of ${times}: gap ${gapMs} ms, ${answers} answers`);
  }
  const name = "roll of all coordinators, longest time without an answer";
  return makeFigure({ name, unit: "ms", values, goal: atMost(500, "ms") });
}

/** Waits until the process `pid`, which writes the log `logFile`, is ready. */
async function untilReady(logFile: string, pid: number): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    const url = probesOf(logFile, pid);
    const answer = url === undefined ? undefined : await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await sleep(POLL_MS);
  }
  throw new Error(`the process ${pid} is not ready after ${PATIENCE_MS} ms; see ${logFile}`);
}

function probesOf(logFile: string, pid: number): string | undefined {
  for (const line of readFileSync(logFile, "utf8").split("\n").reverse()) {
    if (!line.startsWith("{")) continue;
    const { pid: of, probes } = JSON.parse(line) as { pid?: number; probes?: string };
    if (of === pid && probes !== undefined) return probes;
  }
  return undefined;
}
