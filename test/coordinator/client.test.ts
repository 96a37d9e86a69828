import { expect, onTestFinished, test } from "vitest";
import { createOfficeClient } from "../../src/coordinator/index.ts";
import { encode } from "../../src/protocol/index.ts";
import { connectMemory, type IncomingRequest, MemoryServer } from "../../src/transport/index.ts";

/** A client, and an office that does with each request what the test says. */
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

test("a holder that takes a request and stands still does not keep its successor from being asked", async () => {
  const { client } = setup((request, { length }) => {
    if (length > 0) request.respond(encode({ leader: "b" }));
  });
  expect(await client.tenure()).toEqual({ leader: "b" });
});

test("a slow answer counts when it comes, though the request was repeated meanwhile, with the same key", async () => {
  const { client, requests } = setup((_request, [first]) => first?.respond(encode({ revision: 7 })));
  expect(await client.write("config-set", { name: "n", value: 1 })).toEqual({ revision: 7 });
  const keys = requests.map(
    ({ data }) => (JSON.parse(new TextDecoder().decode(data)) as { key: string }).key,
  );
  expect(new Set(keys).size).toBe(1);
});

test("with nobody in office it waits for its time, and says what it heard last", async () => {
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  onTestFinished(() => transport.close());
  const asking = createOfficeClient({ transport }).tenure({ timeoutMs: 20 });
  await expect(asking).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/no coordinator answered on murmur.office.tenure within 20 ms; last: /),
  });
});

test("an abort ends the waiting with its reason", async () => {
  const aborting = new AbortController();
  const reason = new Error("enough");
  const { client } = setup(() => aborting.abort(reason));
  await expect(client.tenure({ signal: aborting.signal })).rejects.toBe(reason);
});
