// `/readyz` of coordinators as processes, as a pod's probe meets it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { setupOffice } from "../../coordinator/support.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { createCoordinator } from "../../support/office/process.ts";
import { eventually } from "../support.ts";

const members = ["a", "b", "c"];

/** Three coordinators of an office whose log exists; none runs yet. */
async function setup() {
  const server = await startNatsServer();
  await setupOffice({ at: server });
  const directory = mkdtempSync(join(tmpdir(), "murmur-ready-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const logOf = (id: string) => join(directory, `${id}.log`);
  const make = (id: string) => createCoordinator({ id, members, server: server.url, logFile: logOf(id) });
  const coordinators = new Map(members.map((id) => [id, make(id)]));
  onTestFinished(async () => {
    await Promise.all([...coordinators.values()].map((each) => each.kill()));
  });
  return {
    start: (id: string) => coordinators.get(id)!.start(),
    /** The answer of its /readyz, once it serves it. */
    async probe(id: string) {
      const lines = existsSync(logOf(id)) ? readFileSync(logOf(id), "utf8") : "";
      const [, url] = /"metrics":"([^"]+)\/metrics"/.exec(lines) ?? [];
      if (url === undefined) return undefined;
      const answer = await fetch(`${url}/readyz`);
      return { status: answer.status, text: await answer.text() };
    },
  };
}

test("one of three coordinators alone answers 503 and why; with a second both answer 200", async () => {
  const { start, probe } = await setup();
  start("a");
  const alone = await eventually(async () => {
    const answer = await probe("a");
    return answer?.text.includes("no leader is known") ? answer : undefined;
  });
  expect(alone.status).toBe(503);
  expect(alone.text).toContain("FAIL knows a leader and has applied the log: no leader is known\n");
  start("b");
  const statuses = async () => (await Promise.all([probe("a"), probe("b")])).map((each) => each?.status);
  await eventually(async () => ((await statuses()).every((status) => status === 200) ? true : undefined));
});
