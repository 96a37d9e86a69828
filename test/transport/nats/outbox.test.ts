import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeHeaders, Outbox } from "../../../src/transport/nats/outbox.ts";
import { read, startSwarm, text } from "../support.ts";

/** An outbox, the frames that it wrote, and the subjects that it refused. */
function setup() {
  const frames: Uint8Array[] = [];
  const refused: string[] = [];
  const outbox = new Outbox({
    write: (frame) => frames.push(frame),
    onError: (subject) => refused.push(subject),
  });
  const put = (subject: string, data: Uint8Array, more: { reply?: string; headers?: Uint8Array } = {}) =>
    outbox.put({ subject, data, reply: more.reply, headers: more.headers });
  return { outbox, frames, refused, put };
}

const word = fc
  .string({ minLength: 1, maxLength: 40, unit: "grapheme" })
  .filter((text) => !/[\s\0]/.test(text));

test("a frame holds each message as the NATS protocol wants it, in order, with any subject and any bytes", () => {
  const message = fc.record({
    subject: word,
    reply: fc.option(word, { nil: undefined }),
    header: fc.option(fc.stringMatching(/^[a-z]{0,40}$/), { nil: undefined }),
    data: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 10 }), (messages) => {
      const { outbox, frames, put } = setup();
      const lines: string[] = [];
      for (const { subject, reply, header, data } of messages) {
        const headers = header === undefined ? undefined : encodeHeaders({ A: header });
        put(subject, data, { ...(reply && { reply }), ...(headers && { headers }) });
        const to = reply === undefined ? subject : `${subject} ${reply}`;
        const body = Buffer.from(data).toString("latin1");
        const head = headers === undefined ? "" : Buffer.from(headers).toString("latin1");
        const line =
          headers === undefined
            ? `PUB ${to} ${data.length}`
            : `HPUB ${to} ${headers.length} ${headers.length + data.length}`;
        lines.push(`${Buffer.from(line).toString("latin1")}\r\n${head}${body}\r\n`);
      }
      outbox.send();
      expect(frames.map((frame) => Buffer.from(frame).toString("latin1"))).toEqual([lines.join("")]);
    }),
    { numRuns: 100 },
  );
});

test("a subject with a blank or a line break is refused: its rest would count as a command", () => {
  const { outbox, frames, refused, put } = setup();
  const bad = ["", "a b", "a\r\nPUB x 0\r\n", "a\tb", "a\0b"];
  for (const subject of bad) put(subject, text("x"));
  put("a", text("x"), { reply: "b 1\r\n\r\nPUB x" });
  outbox.send();
  expect(refused).toEqual([...bad, "a"]);
  expect(frames).toEqual([]);
});

test("a full outbox sends within the turn, but after the subscriptions of the turn", async () => {
  const { frames, put } = setup();
  put("a", new Uint8Array(300_000));
  put("b", text("x"));
  expect(frames).toEqual([]);
  await Promise.resolve();
  expect(frames).toHaveLength(1);
});

test("a subscription receives messages of its own turn: with a flush, without one, and behind a full outbox", async () => {
  const { transport } = await startSwarm({ init: false });
  const seen: string[] = [];
  const arrived = Promise.withResolvers<void>();
  const bus = transport.bus;
  const listen = (subject: string) =>
    bus.subscribe(subject, (message) => {
      seen.push(`${subject} ${message.data.length > 10 ? "large" : read(message)}`);
      if (seen.length === 5) arrived.resolve();
    });
  listen("a");
  bus.publish("a", text("1"));
  await bus.flush();
  listen("b");
  bus.publish("b", text("2"));
  const flushed = bus.flush();
  bus.publish("b", text("3"));
  await flushed;
  listen("c");
  bus.publish("c", new Uint8Array(300_000));
  bus.publish("c", text("5"));
  await arrived.promise;
  expect(seen).toEqual(["a 1", "b 2", "b 3", "c large", "c 5"]);
});
