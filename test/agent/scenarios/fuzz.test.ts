import fc from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";
import { AGENT_VERBS, defineAgent } from "../../../src/agent/index.ts";
import { decode, ERROR_CODES } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { startHost } from "../support.ts";

/** Requests of each kind. */
const RUNS = scaled(500, 10_000);

/** Request bodies such as careless and hostile programs send. */
const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.json({ maxDepth: 3 }).map((text) => new TextEncoder().encode(text)),
  fc.json().map((text) => new TextEncoder().encode(text.slice(0, text.length >> 1))),
  fc.constant(new TextEncoder().encode(`${"[".repeat(10_000)}${"]".repeat(10_000)}`)),
  fc.constant(new TextEncoder().encode('{"__proto__":{"admin":true}}')),
);
const types = fc.constantFrom(undefined, "application/json", "application/msgpack", "text/html");

it(`a host answers each of ${RUNS} asks and ${RUNS} mailbox requests with a value or an error of the catalogue`, async () => {
  const definition = defineAgent({
    name: "careful",
    capabilities: ["careful"],
    input: z.object({ n: z.number() }),
    run: (task) => task.input.n,
  });
  const { host, transport, stop } = await startHost(definition);
  const agentId = host.status()[0]!.id;
  const ask = async (subject: string, body: Uint8Array, type: string | undefined) => {
    const headers = type === undefined ? {} : { "Content-Type": type };
    const reply = await transport.bus.request(subject, body, { timeoutMs: 10_000, headers });
    const { value } = decode(reply.data, reply.header("Content-Type"));
    const code = reply.header("Nats-Service-Error-Code");
    if (code === undefined) return;
    const { error } = value as { error: { code: string; message: string } };
    expect(ERROR_CODES).toContain(error.code);
    expect(error.code).not.toBe("internal");
    expect(Number(code)).toBeGreaterThanOrEqual(400);
  };
  const asks = fc.asyncProperty(bodies, types, (body, type) => ask("murmur.ask.careful", body, type));
  const verbs = fc.constantFrom(...AGENT_VERBS.filter((verb) => verb !== "drain"), "explode");
  const mails = fc.asyncProperty(verbs, bodies, types, (verb, body, type) =>
    ask(`murmur.agent.default.${agentId}.${verb}`, body, type),
  );
  await fc.assert(asks, { numRuns: RUNS });
  await fc.assert(mails, { numRuns: RUNS });
  await stop();
}, 240_000);
