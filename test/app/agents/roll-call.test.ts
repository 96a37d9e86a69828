import { expect, test, vi } from "vitest";
import { createRollCall } from "../../../src/app/agents/roll-call.ts";
import { silentLogger } from "../../../src/base/index.ts";
import { createSubjects, decode, encode } from "../../../src/protocol/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { makeStatus } from "../../coordinator/support.ts";

test("a process logs when another process has an agent with the id of one of its own", async () => {
  const transport = connectMemory({ prefix: "murmur" });
  const subjects = createSubjects("murmur");
  const log = { ...silentLogger, error: vi.fn() } as typeof silentLogger;
  const rollCall = createRollCall({ transport, status: () => [makeStatus({ id: "a1", host: "h1" })], log });
  await rollCall.start();
  const announce = (conflict: object) =>
    transport.bus.publish(subjects.event("agent", "a1", "conflict"), encode(conflict));
  announce({ agent: "a1", kept: "h1", refused: "h2" });
  announce({ agent: "a2", kept: "h2", refused: "h1" });
  announce({ nonsense: true });
  announce({ agent: "a1", kept: "h2", refused: "h1" });
  await vi.waitFor(() => expect(log.error).toHaveBeenCalledTimes(1), { timeout: 60_000 });
  expect(log.error).toHaveBeenCalledWith(
    expect.objectContaining({ agent: "a1", kept: "h2", refused: "h1" }),
    expect.anything(),
  );
  const [reply] = await transport.bus.scatter(subjects.everyAgent, encode({}), {
    timeoutMs: 60_000,
    max: 1,
  });
  expect(decode(reply?.data ?? new Uint8Array()).value).toMatchObject({ agents: [{ id: "a1" }] });
  await rollCall.stop();
});
