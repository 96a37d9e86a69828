import { expect, onTestFinished, test } from "vitest";
import { createOfficeClient } from "../../src/coordinator/index.ts";
import { encode } from "../../src/protocol/index.ts";
import { connectMemory, type IncomingRequest, MemoryServer } from "../../src/transport/index.ts";

/** A client, and an office that answers each request as the test says. */
function setup(onRequest: (request: IncomingRequest, earlier: readonly IncomingRequest[]) => void) {
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  onTestFinished(() => transport.close());
  const earlier: IncomingRequest[] = [];
  transport.bus.subscribe("murmur.office.>", (request) => {
    onRequest(request, earlier);
    earlier.push(request);
  });
  return { client: createOfficeClient({ transport }), requests: earlier };
}

test("a paused holder that receives a request does not keep the client from asking its successor", async () => {
  const { client } = setup((request, { length }) => {
    if (length > 0) request.respond(encode({ leader: "b" }));
  });
  expect(await client.tenure()).toEqual({ leader: "b" });
});

test("a slow answer counts, though the client has repeated the request with the same key", async () => {
  const { client, requests } = setup((_request, [first]) => first?.respond(encode({ revision: 7 })));
  expect(await client.write("config-set", { name: "n", value: 1 })).toEqual({ revision: 7 });
  const keys = requests.map(
    ({ data }) => (JSON.parse(new TextDecoder().decode(data)) as { key: string }).key,
  );
  expect(new Set(keys).size).toBe(1);
});

test("without a holder the client waits for its timeout and reports the last error that it got", async () => {
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  onTestFinished(() => transport.close());
  const asking = createOfficeClient({ transport }).tenure({ timeoutMs: 20 });
  await expect(asking).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/no coordinator answered on murmur.office.tenure within 20 ms; last: /),
  });
});

test("an abort ends the wait with its reason", async () => {
  const aborting = new AbortController();
  const reason = new Error("enough");
  const { client } = setup(() => aborting.abort(reason));
  await expect(client.tenure({ signal: aborting.signal })).rejects.toBe(reason);
});
