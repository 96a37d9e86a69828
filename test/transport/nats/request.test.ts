// After a long pause of the process, a reply and the timeout are due together; the reply must win.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Msg } from "@nats-io/nats-core";
import { expect, onTestFinished, test } from "vitest";
import { silentLogger } from "../../../src/base/index.ts";
import { createNatsBus } from "../../../src/transport/nats/bus.ts";
import type { Link } from "../../../src/transport/nats/link.ts";
import { type Receiver, Request } from "../../../src/transport/nats/request.ts";

const TIMEOUT_MS = 20;

/** A link whose replies come over a socket, a byte each, when the test sends them. */
async function setup() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [far] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  let receiver: Receiver | undefined;
  near.on("data", (bytes) => {
    for (const byte of bytes) receiver?.onMessage({ data: Uint8Array.of(byte) } as Msg);
  });
  const link = {
    openInbox(opened: Receiver) {
      receiver = opened;
      return { subject: "inbox", close: () => undefined };
    },
    publish: () => undefined,
    watchOverdue: () => undefined,
    noteRequest: () => undefined,
    flush: () => Promise.resolve(), // the server is there
  };
  return {
    link: link as unknown as Link,
    /** Sends replies, and blocks the event loop until the replies have arrived and the timeout is over. */
    replyWhileBlocked(...bytes: number[]) {
      far.write(Uint8Array.from(bytes)); // handed to the kernel at once
      const endMs = performance.now() + 5 * TIMEOUT_MS;
      while (performance.now() < endMs);
    },
  };
}

test("a reply that has already arrived counts, although the request's timeout is over", async () => {
  const { link, replyWhileBlocked } = await setup();
  const asked = new Promise<Msg>((resolve, reject) => {
    const options = { timeoutMs: TIMEOUT_MS, doing: "ask" };
    new Request(link, "x", options, performance.now(), resolve, reject).send(new Uint8Array());
  });
  replyWhileBlocked(7);
  expect((await asked).data).toEqual(Uint8Array.of(7));
});

test("a scatter collects replies that have already arrived, although its timeout is over", async () => {
  const { link, replyWhileBlocked } = await setup();
  const bus = createNatsBus(link, silentLogger);
  const asked = bus.scatter("x", new Uint8Array(), { timeoutMs: TIMEOUT_MS });
  replyWhileBlocked(1, 2, 3);
  expect((await asked).map(({ data }) => data[0])).toEqual([1, 2, 3]);
});

test("without a reply, a scatter and a request end after their timeout", async () => {
  const { link } = await setup();
  expect(await createNatsBus(link, silentLogger).scatter("x", new Uint8Array(), { timeoutMs: 1 })).toEqual(
    [],
  );
  const asked = new Promise<Msg>((resolve, reject) => {
    new Request(link, "x", { timeoutMs: 1, doing: "ask" }, performance.now(), resolve, reject).send(
      new Uint8Array(),
    );
  });
  await expect(asked).rejects.toMatchObject({ code: "unavailable" });
});
