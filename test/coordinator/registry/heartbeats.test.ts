import { expect, it, onTestFinished } from "vitest";
import { ManualClock } from "../../../src/base/index.ts";
import { anyAnswers } from "../../../src/coordinator/registry/heartbeats.ts";
import { SILENCE_MS } from "../../../src/coordinator/registry/sightings.ts";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { connectMemory, type IncomingRequest, MemoryServer } from "../../../src/transport/index.ts";

/** A probe of agent a1, whose process subscribes and answers when the test says so. */
async function setup() {
  const clock = new ManualClock();
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer({ clock }) });
  onTestFinished(() => transport.close());
  const asked = Promise.withResolvers<IncomingRequest>();
  transport.bus.subscribe(
    createSubjects("murmur").filters.agentVerbs({ class: "default", agent: "a1" }),
    (request) => asked.resolve(request),
  );
  let lives: boolean | null = null;
  const probing = anyAnswers(transport, [{ class: "default", agent: "a1" }]).then((found) => {
    lives = found;
  });
  const request = await asked.promise;
  return { clock, transport, request, probing, lives: () => lives };
}

it("a probe takes a subscribed agent for alive, however slowly it answers within the allowed silence", async () => {
  const { clock, request, probing, lives } = await setup();
  clock.advance(SILENCE_MS - 1_000);
  await new Promise(setImmediate);
  expect(lives()).toBeNull();
  request.respond(encode({}));
  await probing;
  expect(lives()).toBe(true);
});

it("a probe takes a silent agent for gone after that time, and an agent without subscriber at once", async () => {
  const { clock, transport, probing, lives } = await setup();
  clock.advance(SILENCE_MS);
  await probing;
  expect(lives()).toBe(false);
  expect(await anyAnswers(transport, [{ class: "default", agent: "a2" }])).toBe(false);
});
