import { expect, test } from "vitest";
import { askAgent, askCapability, defineAgent, MAILBOX_LIMIT } from "../../../src/agent/index.ts";
import { createLogger, ManualClock } from "../../../src/base/index.ts";
import { decode, encode, HEADERS, SwarmError } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../src/transport/index.ts";
import { defineEcho, linkOf, makeGate, perform, startHost, subjects, until } from "../support.ts";

test("the reply to an ask by capability is the agent's output", async () => {
  const { transport, stop } = await startHost(defineEcho());
  for (const value of [{ a: 1 }, [1, "x"], "text", 5, null]) {
    expect(await askCapability(linkOf(transport), "echo", value)).toEqual(value);
  }
  await stop();
});

test("the reply to an ask in MessagePack is in MessagePack", async () => {
  const { transport, stop } = await startHost(defineEcho());
  const headers = { [HEADERS.contentType]: "application/msgpack" };
  const reply = await transport.bus.request(subjects.ask("echo"), encode({ a: 1 }, "msgpack"), {
    timeoutMs: 60_000,
    headers,
  });
  expect(decode(reply.data, reply.header(HEADERS.contentType))).toEqual({
    value: { a: 1 },
    encoding: "msgpack",
  });
  await stop();
});

test("the error reply carries the code, field and retry-after of the agent's error", async () => {
  const failing = defineEcho(() => {
    throw new SwarmError("rate_limited", "slow down", { field: "input.n", retryAfterMs: 70 });
  });
  const { transport, stop } = await startHost(failing);
  await expect(askCapability(linkOf(transport), "echo", {})).rejects.toMatchObject({
    code: "rate_limited",
    message: "slow down",
    field: "input.n",
    retryAfterMs: 70,
  });
  await stop();
});

test("an input or an output that a message would change is refused with its path", async () => {
  const { transport, stop } = await startHost(defineEcho(() => ({ seen: new Set([1]) })));
  const link = linkOf(transport);
  await expect(askCapability(link, "echo", {})).rejects.toMatchObject({
    code: "internal",
    field: "output.seen",
    message: expect.stringContaining("an instance of Set"),
  });
  await expect(askCapability(link, "echo", { at: new Date() })).rejects.toMatchObject({
    code: "invalid_input",
    field: "input.at",
  });
  await stop();
});

test.each([
  ["a terminal error is not retryable", false],
  ["a retryable error is retryable", true],
])("at the asker, %s, whatever the default of its code", async (_, retryable) => {
  const code = retryable ? "not_found" : "tool_failed"; // by default the other way round
  const failing = defineEcho(() => {
    throw new SwarmError(code, "as the agent says", { retryable });
  });
  const { transport, stop } = await startHost(failing);
  await expect(askCapability(linkOf(transport), "echo", {})).rejects.toMatchObject({ code, retryable });
  await stop();
});

test.each([
  ["returns", false],
  ["fails", true],
])("an ask that %s after the connection was closed frees its slot", async (_, fails) => {
  const gate = makeGate();
  const agent = defineEcho(async (input) => {
    await gate.pass(input);
    if (fails) throw new Error("late");
    return input;
  });
  const server = new MemoryServer();
  const asker = connectMemory({ prefix: "murmur", server });
  const { host, transport, stop } = await startHost(agent, {
    transport: connectMemory({ prefix: "murmur", server }),
  });
  const asked = askCapability(linkOf(asker), "echo", 1);
  asked.catch(() => undefined);
  await until(() => gate.arrived === 1);
  const free = host.workforce.freeTotal();
  await transport.close();
  gate.open();
  await until(() => host.workforce.freeTotal() === free + 1);
  await asker.close();
  await stop();
});

test("a failed ask is logged with its stack, and the reply has neither the stack nor a secret", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => void lines.push(JSON.parse(line)) } });
  const failing = defineEcho(() => {
    throw new SwarmError("tool_failed", "no answer of nats://ada:s3cret@host");
  });
  const { transport, stop } = await startHost(failing, { log });
  const reply = await transport.bus.request(subjects.ask("echo"), encode({}), { timeoutMs: 60_000 });
  const text = Buffer.from(reply.data).toString();
  expect(text).toContain("no answer of nats://[redacted]@host");
  expect(text).not.toMatch(/s3cret|ask-desk\.test| {4}at /);
  expect(lines.filter(({ msg }) => msg === "ask failed; the asker gets the error")).toMatchObject([
    {
      level: 40,
      code: "tool_failed",
      capability: "echo",
      stack: expect.stringContaining("ask-desk.test.ts"),
    },
  ]);
  expect(JSON.stringify(lines)).not.toContain("s3cret");
  await stop();
});

test("the host rejects a body that is neither JSON nor MessagePack with invalid_input", async () => {
  const { transport, host, stop } = await startHost(defineEcho());
  const reply = await transport.bus.request(subjects.ask("echo"), new TextEncoder().encode("{nope"), {
    timeoutMs: 60_000,
  });
  expect(reply.header(HEADERS.serviceErrorCode)).toBe("400");
  expect(decode(reply.data).value).toMatchObject({ error: { code: "invalid_input", field: "body" } });
  expect(host.status()[0]?.slots.used).toBe(0);
  await stop();
});

test("asks wait for a slot, and always leave one slot for queued tasks", async () => {
  const gate = makeGate();
  const { host, transport, stop } = await startHost(defineEcho(gate.pass, { slots: 4 }));
  const asks = Array.from({ length: 6 }, (_, n) => askCapability(linkOf(transport), "echo", { n }));
  await until(() => gate.arrived === 3);
  expect(host.workforce.free("echo")).toBe(1);
  gate.open();
  expect(await Promise.all(asks)).toEqual(asks.map((_, n) => ({ n })));
  expect(host.status()[0]?.slots.used).toBe(0);
  await stop();
});

test("a full queue of asks replies rate_limited, with retryAfterMs", async () => {
  const gate = makeGate();
  const { transport, stop } = await startHost(defineEcho(gate.pass, { slots: 1 }));
  const asks = Array.from({ length: MAILBOX_LIMIT + 1 }, () => askCapability(linkOf(transport), "echo", 1));
  await expect(askCapability(linkOf(transport), "echo", 1)).rejects.toMatchObject({
    code: "rate_limited",
    retryAfterMs: expect.any(Number),
  });
  gate.open();
  await Promise.all(asks);
  await stop();
});

test("an ask that times out frees its slot, even when the agent hangs", async () => {
  const clock = new ManualClock();
  const { host, transport, stop } = await startHost(
    defineEcho(() => new Promise(() => {}), { slots: 1 }),
    { clock },
  );
  const errors: unknown[] = [];
  for (const waitMs of ["400", "500"]) {
    const headers = { [HEADERS.wait]: waitMs };
    transport.bus
      .request(subjects.ask("echo"), encode({}), { timeoutMs: 60_000, headers })
      .then((reply) => errors.push(decode(reply.data).value));
  }
  await until(() => host.status()[0]?.slots.used === 1);
  clock.advance(400);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(400);
  await until(() => errors.length === 2);
  expect(errors).toMatchObject([{ error: { code: "timeout" } }, { error: { code: "timeout" } }]);
  await stop();
});

test("a named agent answers an ask, and replies unavailable while it is paused", async () => {
  const { host, transport, stop } = await startHost(defineEcho());
  const id = host.status()[0]?.id ?? "";
  expect(await askAgent(linkOf(transport), id, { a: 1 })).toEqual({ a: 1 });
  host.pause(id);
  await expect(askAgent(linkOf(transport), id, {})).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("paused"),
  });
  await stop();
});

test("when no agent of a host takes work, asks go to another host, or fail at once with unavailable", async () => {
  const transport = connectMemory({ prefix: "murmur" });
  const one = await startHost(
    defineEcho(() => "one"),
    { transport, hostId: "h1" },
  );
  const two = await startHost(
    defineEcho(() => "two"),
    { transport, hostId: "h2" },
  );
  one.host.pause(one.host.status()[0]?.id ?? "");
  for (let n = 0; n < 5; n++) expect(await askCapability(linkOf(transport), "echo", null)).toBe("two");
  two.host.pause(two.host.status()[0]?.id ?? "");
  await expect(askCapability(linkOf(transport), "echo", null)).rejects.toMatchObject({
    code: "unavailable",
  });
  await one.host.service.stop();
  await two.stop();
});

test("an ask that no agent takes names the capability, and lists the known ones when it is not among them", async () => {
  const transport = connectMemory({ prefix: "murmur" });
  const link = { ...linkOf(transport), knownCapabilities: async () => ["echo", "greet"] };
  await expect(askCapability(link, "ecko", null)).rejects.toMatchObject({
    code: "unavailable",
    message: "ask ecko: no agent has offered this capability yet; known: echo, greet",
  });
  await expect(askCapability(link, "echo", null)).rejects.toThrow(
    /^ask echo: no agent takes asks .* now; start one/,
  );
});

test("an ask that no agent takes fails with its own error when the list of capabilities cannot be read", async () => {
  const transport = connectMemory({ prefix: "murmur" });
  const knownCapabilities = async () => {
    throw new Error("no stream");
  };
  await expect(
    askCapability({ ...linkOf(transport), knownCapabilities }, "echo", null),
  ).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("ask echo: no agent takes asks"),
  });
});

test("ctx.ask of a host names the known capabilities", async () => {
  const asker = defineAgent({
    name: "asker",
    capabilities: ["relay"],
    run: (_task, ctx) => ctx.ask("nope", null),
  });
  const { host, stop } = await startHost(asker, { knownCapabilities: async () => ["relay"] });
  await expect(perform(host, null, "relay")).rejects.toThrow(
    "ask nope: no agent has offered this capability yet; known: relay",
  );
  await stop();
});

test("an ask over 512 KiB is rejected before it is sent", async () => {
  const { transport, stop } = await startHost(defineEcho());
  await expect(askCapability(linkOf(transport), "echo", "x".repeat(600_000))).rejects.toMatchObject({
    code: "payload_too_large",
  });
  await stop();
});
