import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { CONTENT_TYPES, decode, ERROR_CODES, encode } from "../../../src/protocol/index.ts";
import { connectMemory, type Headers, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createFrontDoor, createTaskClient, createWorker } from "../../../src/work/index.ts";
import { scaled } from "../../support/scale.ts";
import { ScriptedWorkforce } from "../support.ts";

/** The fuzzed bodies of one run. */
const BODIES = scaled(500, 10_000);

let transport: Transport;
let stop: () => Promise<void>;

beforeEach(async () => {
  const server = new MemoryServer();
  transport = connectMemory({ prefix: "murmur", server });
  await transport.init();
  const meter = createMeter();
  const client = createTaskClient({ transport, meter });
  const workforce = new ScriptedWorkforce(8, async ({ task }) => task.input);
  const capabilities = [{ name: "echo" }];
  const worker = createWorker({
    transport,
    meter,
    log: silentLogger,
    hostId: "host",
    workforce,
    capabilities,
  });
  const door = createFrontDoor({ transport, client, log: silentLogger });
  await worker.start();
  await door.start();
  stop = async () => {
    await door.stop();
    await worker.stop();
    client.close();
    await transport.close();
  };
});
afterEach(() => stop());

interface Reply {
  // biome-ignore lint/suspicious/noExplicitAny: replies of every shape are looked into here
  value: any;
  header(name: string): string | undefined;
}

async function submit(body: Uint8Array, headers: Headers = {}): Promise<Reply> {
  const reply = await transport.bus.request("murmur.submit", body, { timeoutMs: 10_000, headers });
  return {
    value: decode(reply.data, reply.header("Content-Type")).value,
    header: (name) => reply.header(name),
  };
}

describe("submit", () => {
  it("the answer says that the task is accepted, and its subject", async () => {
    const { value } = await submit(encode({ id: "order-1", capability: "echo" }));
    const subject = "murmur.task.echo.normal.-.order-1";
    expect(value).toEqual({ taskId: "order-1", status: "accepted", duplicate: false, subject });
  });

  it("the answer is the result when the caller waits for it", async () => {
    const { value } = await submit(encode({ capability: "echo", input: 7 }), { "Murmur-Wait": "5000" });
    expect(value).toMatchObject({ status: "completed", output: 7, attempt: 1 });
  });

  it("the answer has the encoding of the request", async () => {
    const body = encode({ capability: "echo", input: 7 }, "msgpack");
    const reply = await submit(body, { "Content-Type": CONTENT_TYPES.msgpack, "Murmur-Wait": "5000" });
    expect(reply.header("Content-Type")).toBe(CONTENT_TYPES.msgpack);
    expect(reply.value).toMatchObject({ output: 7 });
  });

  it("a body that does not fit its Content-Type is rejected", async () => {
    const reply = await submit(Uint8Array.of(0xc1), { "Content-Type": CONTENT_TYPES.msgpack });
    expect(reply.header("Content-Type")).toBe(CONTENT_TYPES.msgpack);
    expect(reply.value.error).toMatchObject({ code: "invalid_input", field: "body" });
  });

  it("a Content-Type other than JSON and MessagePack is rejected", async () => {
    const { value } = await submit(encode({ capability: "echo" }), { "Content-Type": "text/plain" });
    expect(value.error).toMatchObject({ code: "invalid_input", field: "Content-Type" });
  });

  it("the answer is a blob reference when the result is larger than a message", async () => {
    const input = "x".repeat(600 * 1024);
    const { value } = await submit(encode({ capability: "echo", input }), { "Murmur-Wait": "5000" });
    expect(value).toEqual({ $blob: expect.any(String), bytes: expect.any(Number) });
    const result = decode(await transport.blobs.get(value)).value;
    expect(result).toMatchObject({ status: "completed", output: input });
  });

  it("an error is in the headers of NATS services and in the body", async () => {
    const reply = await submit(encode({ capability: "echo", retry: { max: "many" } }));
    expect(reply.header("Nats-Service-Error-Code")).toBe("400");
    expect(reply.header("Nats-Service-Error")).toContain("retry.max");
    expect(reply.value.error).toMatchObject({ code: "invalid_input", field: "retry.max" });
  });

  it.each(["0", "-1", "soon", "99999999"])("a wait of %s ms is rejected", async (wait) => {
    const { value } = await submit(encode({ capability: "echo" }), { "Murmur-Wait": wait });
    expect(value.error).toMatchObject({ code: "invalid_input", field: "Murmur-Wait" });
  });

  it(`each of ${BODIES} bodies is answered with an acceptance or an error of the catalogue`, async () => {
    const known = fc.record(
      {
        id: fc.oneof(fc.string(), fc.constantFrom("a.b", "*", ">", "x".repeat(300), "\u0000")),
        capability: fc.oneof({ weight: 4, arbitrary: fc.constant("echo") }, fc.string()),
        input: fc.jsonValue({ maxDepth: 3 }),
        priority: fc.oneof(fc.constantFrom("urgent", "low"), fc.anything()),
        deadline: fc.oneof(fc.constant("2020-01-01T00:00:00Z"), fc.string()),
        notBefore: fc.oneof(fc.nat(), fc.double(), fc.string()),
        retry: fc.oneof(fc.constant({}), fc.anything()),
        ballot: fc.anything(),
      },
      { requiredKeys: ["capability"] },
    );
    const json = fc.oneof(known, fc.jsonValue()).map((value) => {
      try {
        return encode(value);
      } catch {
        return new Uint8Array();
      }
    });
    const cut = fc.tuple(json, fc.nat()).map(([body, at]) => body.subarray(0, at % (body.length + 1)));
    const body = fc.oneof({ weight: 3, arbitrary: json }, cut, fc.uint8Array());
    const property = fc.asyncProperty(
      body,
      fc.constantFrom(undefined, "application/json", "application/msgpack", "text/html"),
      async (bytes, type) => {
        const { value } = await submit(bytes, type === undefined ? {} : { "Content-Type": type });
        if (value.error === undefined) expect(value).toMatchObject({ status: "accepted" });
        else {
          expect(ERROR_CODES).toContain(value.error.code);
          expect(value.error.code).not.toBe("internal");
          if (value.error.code === "invalid_input") expect(value.error.field).toBeTypeOf("string");
        }
      },
    );
    await fc.assert(property, { numRuns: BODIES });
  }, 240_000);
});
