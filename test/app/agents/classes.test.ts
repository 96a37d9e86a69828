import { expect, onTestFinished, test } from "vitest";
import { askAgent } from "../../../src/agent/index.ts";
import { createClassFinder } from "../../../src/app/agents/classes.ts";
import { createRollCall } from "../../../src/app/agents/roll-call.ts";
import { commandAgent } from "../../../src/app/agents/roster.ts";
import { silentLogger } from "../../../src/base/index.ts";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { defineEcho, startHost } from "../../agent/support.ts";
import { makeStatus } from "../../coordinator/support.ts";

const subjects = createSubjects("murmur");
const WAIT = { timeoutMs: 60_000 };

/** A host of class `gpu` with one agent, and a caller in class `default`. */
async function setup() {
  const transport = connectMemory({ prefix: "murmur" });
  const { host, stop } = await startHost(defineEcho(), { transport, agentClass: "gpu" });
  const rollCall = createRollCall({ transport, status: () => host.status(), log: silentLogger });
  await rollCall.start();
  onTestFinished(async () => {
    await rollCall.stop();
    await stop();
  });
  const link = { bus: transport.bus, subjects };
  return { transport, link, agent: host.status()[0]!.id };
}

test("an agent of another class is asked by its id alone: the processes tell its class", async () => {
  const { transport, link, agent } = await setup();
  await expect(askAgent(link, agent, "hello", WAIT)).rejects.toMatchObject({ code: "unavailable" });
  const findClass = createClassFinder(transport);
  expect(await askAgent({ ...link, findClass }, agent, "hello", WAIT)).toBe("hello");
  expect(await findClass(agent, { isAgain: false })).toBe("gpu"); // remembered, without another roll call
});

test("an operator's command finds an agent of another class, and fails for an agent that does not exist", async () => {
  const { transport, agent } = await setup();
  expect(await commandAgent(transport, agent, "pause", 60_000)).toMatchObject({
    state: "paused",
    class: "gpu",
  });
  await expect(commandAgent(transport, "nobody", "pause", 60_000)).rejects.toMatchObject({
    code: "unavailable",
  });
});

test("the office's answer comes first, and is asked for once", async () => {
  const { transport, link, agent } = await setup();
  let asked = 0;
  transport.bus.subscribe(subjects.office("agent"), (request) => {
    asked++;
    request.respond(encode({ agent: makeStatus({ id: agent, class: "gpu" }), record: [], equivocations: 0 }));
  });
  const findClass = createClassFinder(transport);
  for (const input of ["one", "two"])
    expect(await askAgent({ ...link, findClass }, agent, input, WAIT)).toBe(input);
  expect(asked).toBe(1);
});
