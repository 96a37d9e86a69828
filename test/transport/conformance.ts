// The promises of the transport's ports as one suite. Every implementation runs it; other rooms may rely on each behaviour
// that it checks.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { SwarmError } from "../../src/protocol/index.ts";
import {
  ACK_WAIT_MS,
  BLOB_LIMIT_BYTES,
  createSubjects,
  HEADERS,
  INLINE_LIMIT_BYTES,
  PAUSED_UNTIL_MS,
  TASK_MESSAGE_LIMIT_BYTES,
} from "../../src/protocol/index.ts";
import {
  type Delivery,
  type Incoming,
  type IncomingRequest,
  lastSeqOf,
  type Pull,
  type PullEnd,
  type QueueConsumer,
  type RefusedReply,
  type Stored,
  type Transport,
} from "../../src/transport/index.ts";

/** An implementation under test: one server that many connections share. */
export interface Implementation {
  connect(options: {
    prefix: string;
    limits?: { taskBytes?: number; resultAgeMs?: number };
  }): Promise<Transport>;
  /** Publishes an empty message that wants its answer on `reply`, as any other client of the server can. */
  publishWithReply(subject: string, reply: string): Promise<void>;
  stop(): Promise<void>;
}

const text = (value: string) => new TextEncoder().encode(value);
const read = (message: { data: Uint8Array }) => new TextDecoder().decode(message.data);
/** The wait for a condition: long enough for a loaded machine. It ends as soon as the condition holds. */
const SOON = { timeout: 60_000, interval: 5 };
const TEST_TIMEOUT_MS = 120_000;

let swarms = 0;

/** Runs the suite against one implementation. */
export function describeTransport(title: string, start: () => Promise<Implementation>): void {
  describe.concurrent(`${title} keeps the promises of the ports`, { timeout: TEST_TIMEOUT_MS }, () => {
    let implementation: Implementation | undefined;
    const open: Transport[] = [];
    beforeAll(async () => {
      implementation = await start();
    });
    afterAll(async () => {
      await Promise.all(open.map((transport) => transport.close()));
      await implementation?.stop();
    });

    /** Connects to a new swarm, or to the swarm named `prefix`, and runs `init` unless `init` is false. */
    async function setup(options: { init?: boolean; limits?: { taskBytes?: number }; prefix?: string } = {}) {
      const prefix = options.prefix ?? `swarm${++swarms}`;
      const limits = options.limits === undefined ? {} : { limits: options.limits };
      const transport = await implementation!.connect({ prefix, ...limits });
      open.push(transport);
      if (options.init !== false) await transport.init();
      return { transport, prefix, subjects: createSubjects(prefix), bus: transport.bus };
    }

    describe("bus", () => {
      test("a message reaches every subscriber of its subject and no other", async () => {
        const { bus, prefix } = await setup({ init: false });
        const received: string[] = [];
        for (const name of ["one", "two"])
          bus.subscribe(`${prefix}.topic.a`, (message) => received.push(`${name} ${read(message)}`));
        bus.subscribe(`${prefix}.topic.b`, () => received.push("wrong"));
        bus.publish(`${prefix}.topic.a`, text("hello"));
        await vi.waitFor(() => expect(received.sort()).toEqual(["one hello", "two hello"]), SOON);
      });

      test("messages of one sender arrive in order", async () => {
        const { bus, prefix } = await setup({ init: false });
        const received: number[] = [];
        bus.subscribe(`${prefix}.topic.order`, (message) => received.push(Number(read(message))));
        for (let index = 0; index < 500; index++) bus.publish(`${prefix}.topic.order`, text(String(index)));
        await vi.waitFor(
          () => expect(received).toEqual(Array.from({ length: 500 }, (_, index) => index)),
          SOON,
        );
      });

      test("a star matches one token, a greater-than sign one or more", async () => {
        const { bus, prefix } = await setup({ init: false });
        const star: string[] = [];
        const rest: string[] = [];
        bus.subscribe(`${prefix}.t.*.end`, (message) => star.push(message.subject));
        bus.subscribe(`${prefix}.t.>`, (message) => rest.push(message.subject));
        const subjects = ["t", "t.a", "t.a.end", "t.a.b.end"].map((tail) => `${prefix}.${tail}`);
        for (const subject of subjects) bus.publish(subject, text(""));
        await vi.waitFor(() => expect(rest).toEqual(subjects.slice(1)), SOON);
        expect(star).toEqual([`${prefix}.t.a.end`]);
      });

      test("one member of a queue group gets each message, across connections", async () => {
        const one = await setup({ init: false });
        const other = await setup({ init: false, prefix: one.prefix });
        const received: string[] = [];
        let members = 0;
        for (const { bus } of [one, other]) {
          bus.subscribe(`${one.prefix}.ask`, (message) => received.push(read(message)), { queue: "group" });
          bus.subscribe(`${one.prefix}.ask`, () => members++);
          await bus.flush();
        }
        for (let index = 0; index < 50; index++) one.bus.publish(`${one.prefix}.ask`, text(String(index)));
        await vi.waitFor(() => expect(members).toBe(100), SOON);
        await vi.waitFor(() => expect(new Set(received).size).toBe(50), SOON);
        expect(received).toHaveLength(50);
      });

      test("headers are found in any case, and an absent header is undefined", async () => {
        const { bus, prefix } = await setup({ init: false });
        const received: Incoming[] = [];
        bus.subscribe(`${prefix}.h`, (message) => received.push(message));
        bus.publish(`${prefix}.h`, text(""), { headers: { "X-Mixed-Case": "yes", traceparent: "00-1" } });
        await vi.waitFor(() => expect(received).toHaveLength(1), SOON);
        expect(received[0]?.header("x-mixed-case")).toBe("yes");
        expect(received[0]?.header("X-MIXED-CASE")).toBe("yes");
        expect(received[0]?.header("Traceparent")).toBe("00-1");
        expect(received[0]?.header("missing")).toBeUndefined();
      });

      test("a header with a line break is rejected", async () => {
        const { bus, prefix } = await setup({ init: false });
        const headers = { "X-Bad": "a\r\nInjected: b" };
        expect(() => bus.publish(`${prefix}.h`, text(""), { headers })).toThrow(withCode("invalid_input"));
      });

      test("a request gets its reply with headers; a plain message wants none", async () => {
        const { bus, prefix } = await setup({ init: false });
        const wants: boolean[] = [];
        bus.subscribe(`${prefix}.r`, (request) => {
          wants.push(request.wantsReply);
          request.respond(text(`${read(request)}!`), { "Murmur-Version": "1" });
        });
        bus.publish(`${prefix}.r`, text("quiet"));
        const reply = await bus.request(`${prefix}.r`, text("hello"), { timeoutMs: 60_000 });
        expect(read(reply)).toBe("hello!");
        expect(reply.header("murmur-version")).toBe("1");
        expect(wants).toEqual([false, true]);
      });

      test("a request without a subscriber fails at once", async () => {
        const { bus, prefix } = await setup({ init: false });
        const asked = bus.request(`${prefix}.nobody`, text(""), { timeoutMs: 10 * TEST_TIMEOUT_MS });
        await expect(asked).rejects.toThrow(withCode("unavailable"));
      });

      test("a request without a reply fails after its timeout", async () => {
        const { bus, prefix } = await setup({ init: false });
        bus.subscribe(`${prefix}.silent`, () => undefined);
        const asked = bus.request(`${prefix}.silent`, text(""), { timeoutMs: 50 });
        await expect(asked).rejects.toThrow(withCode("unavailable"));
      });

      test("a drained subscription still answers the requests that were on their way, and gets no later one", async () => {
        const { bus, prefix } = await setup({ init: false });
        const subscription = bus.subscribe(`${prefix}.r`, (request) => request.respond(text("here")));
        await bus.flush();
        const asked = Array.from({ length: 3 }, () =>
          bus.request(`${prefix}.r`, text(""), { timeoutMs: TEST_TIMEOUT_MS }),
        );
        await new Promise((resolve) => setImmediate(resolve)); // the requests leave before the end of the subscription
        await subscription.drain();
        expect((await Promise.all(asked)).map(read)).toEqual(["here", "here", "here"]);
        const late = bus.request(`${prefix}.r`, text(""), { timeoutMs: TEST_TIMEOUT_MS });
        await expect(late).rejects.toThrow(withCode("unavailable"));
        await subscription.drain();
        subscription.close();
      });

      test("an aborted request rejects with the signal's reason", async () => {
        const { bus, prefix } = await setup({ init: false });
        const controller = new AbortController();
        bus.subscribe(`${prefix}.silent`, () => controller.abort(new Error("enough")));
        const options = { timeoutMs: TEST_TIMEOUT_MS, signal: controller.signal };
        await expect(bus.request(`${prefix}.silent`, text(""), options)).rejects.toThrow("enough");
        await expect(bus.request(`${prefix}.silent`, text(""), options)).rejects.toThrow("enough");
      });

      test("a conversation gets every reply in order until its caller closes it", async () => {
        const { bus, prefix } = await setup({ init: false });
        let more: () => void = () => undefined;
        bus.subscribe(`${prefix}.talk`, (request) => {
          for (const part of ["1", "2", "3"]) request.respond(text(part), { "Murmur-Part": part });
          more = () => request.respond(text("4"));
        });
        const heard: string[] = [];
        const onLost = (error: unknown) => heard.push(String(error));
        const onReply = (reply: Incoming) => heard.push(`${read(reply)} ${reply.header("murmur-part")}`);
        const talk = bus.converse(`${prefix}.talk`, text("hello"), { onReply, onLost });
        await vi.waitFor(() => expect(heard).toEqual(["1 1", "2 2", "3 3"]), SOON);
        talk.close();
        more();
        await bus.flush();
        expect(heard).toHaveLength(3);
      });

      test("a replier learns that the connection of its caller is gone", async () => {
        const { bus, prefix } = await setup({ init: false });
        const caller = await setup({ init: false, prefix });
        const { promise: asked, resolve } = Promise.withResolvers<IncomingRequest>();
        bus.subscribe(`${prefix}.talk`, resolve);
        const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
        const options = { onReply: () => hear(), onLost: () => undefined };
        await bus.flush();
        caller.bus.converse(`${prefix}.talk`, text(""), options);
        const request = await asked;
        let unheard = 0;
        const onUnheard = () => unheard++;
        request.respond(text("heard"), {}, { onUnheard });
        await heard;
        expect(unheard).toBe(0);
        await caller.transport.close();
        await vi.waitFor(() => {
          request.respond(text("unheard"), {}, { onUnheard });
          expect(unheard).toBeGreaterThan(0);
        }, SOON);
      });

      test("a conversation without a subscriber, or whose connection closes, tells its loss once", async () => {
        const { bus, prefix, transport } = await setup({ init: false });
        const lost: unknown[] = [];
        const options = { onReply: () => undefined, onLost: (error: unknown) => lost.push(error) };
        bus.converse(`${prefix}.nobody`, text(""), options);
        await vi.waitFor(() => expect(lost).toEqual([withCode("unavailable")]), SOON);
        bus.subscribe(`${prefix}.silent`, () => undefined);
        bus.converse(`${prefix}.silent`, text(""), options);
        await transport.close();
        await vi.waitFor(() => expect(lost).toHaveLength(2), SOON);
        expect(lost[1]).toEqual(withCode("unavailable"));
        expect(() => bus.converse(`${prefix}.silent`, text(""), options)).toThrow(withCode("unavailable"));
      });

      test("a scatter collects the replies of all subscribers", async () => {
        const { bus, prefix } = await setup({ init: false });
        for (const name of ["a", "b", "c"])
          bus.subscribe(`${prefix}.where.*`, (request) => request.respond(text(name)));
        const options = { timeoutMs: TEST_TIMEOUT_MS, stallMs: 1_000 };
        const replies = await bus.scatter(`${prefix}.where.x`, text(""), options);
        expect(replies.map(read).sort()).toEqual(["a", "b", "c"]);
      });

      test("a scatter ends at its maximum, and after its timeout", async () => {
        const { bus, prefix } = await setup({ init: false });
        for (const name of ["a", "b", "c"])
          bus.subscribe(`${prefix}.where`, (request) => request.respond(text(name)));
        const enough = { timeoutMs: TEST_TIMEOUT_MS, stallMs: TEST_TIMEOUT_MS, max: 2 };
        expect(await bus.scatter(`${prefix}.where`, text(""), enough)).toHaveLength(2);
        bus.subscribe(`${prefix}.silent`, () => undefined);
        expect(await bus.scatter(`${prefix}.silent`, text(""), { timeoutMs: 50 })).toEqual([]);
      });

      test("a scatter without a subscriber resolves at once to no replies", async () => {
        const { bus, prefix } = await setup({ init: false });
        expect(await bus.scatter(`${prefix}.nobody`, text(""), { timeoutMs: 10 * TEST_TIMEOUT_MS })).toEqual(
          [],
        );
      });

      test("a scatter that cannot be sent, or whose connection closes, rejects instead of counting none", async () => {
        const { bus, prefix, transport } = await setup({ init: false });
        const tooLarge = new Uint8Array(transport.maxPayloadBytes + 1);
        const options = { timeoutMs: 10 * TEST_TIMEOUT_MS };
        await expect(bus.scatter(`${prefix}.where`, tooLarge, options)).rejects.toThrow(
          withCode("payload_too_large"),
        );
        const asked = Promise.withResolvers<void>();
        bus.subscribe(`${prefix}.silent`, () => asked.resolve());
        const open = bus.scatter(`${prefix}.silent`, text(""), options);
        open.catch(() => undefined);
        await asked.promise;
        await transport.close();
        await expect(open).rejects.toThrow(withCode("unavailable"));
        await expect(bus.scatter(`${prefix}.silent`, text(""), options)).rejects.toThrow(
          withCode("unavailable"),
        );
      });

      test("a reply on a connection that was closed is dropped, and does not throw", async () => {
        const { bus, prefix, transport } = await setup({ init: false });
        const asker = await setup({ init: false, prefix });
        const requests: IncomingRequest[] = [];
        bus.subscribe(`${prefix}.r`, (request) => requests.push(request));
        await bus.flush();
        const asked = asker.bus.request(`${prefix}.r`, text(""), { timeoutMs: 10 * TEST_TIMEOUT_MS });
        asked.catch(() => undefined);
        await vi.waitFor(() => expect(requests).toHaveLength(1), SOON);
        await transport.close();
        expect(requests[0]?.wantsReply).toBe(true);
        requests[0]?.respond(text("too late"));
        await asker.transport.close();
        await expect(asked).rejects.toThrow(withCode("unavailable"));
      });

      test.each([
        ["a result of a task", "result.echo.-.victim"],
        ["a request", "submit"],
      ])("a request is not answered on the subject of %s, and reported", async (_, tail) => {
        const { bus, prefix, transport, subjects } = await setup();
        const refused: RefusedReply[] = [];
        const listening = transport.onReplyRefused((each) => refused.push(each));
        const received: boolean[] = [];
        bus.subscribe(`${prefix}.ask.echo`, (request) => {
          received.push(request.wantsReply);
          request.respond(text("forged"));
        });
        const spoofed: string[] = [];
        bus.subscribe(`${prefix}.${tail}`, (message) => spoofed.push(read(message)));
        await bus.flush();
        await implementation!.publishWithReply(`${prefix}.ask.echo`, `${prefix}.${tail}`);
        await vi.waitFor(() => expect(received).toEqual([false]), SOON);
        await bus.request(`${prefix}.ask.echo`, text(""), { timeoutMs: TEST_TIMEOUT_MS }); // behind a forged answer
        expect(received).toEqual([false, true]);
        expect(spoofed).toEqual([]);
        expect(await transport.log("results").last(subjects.result("echo", "-", "victim"))).toBeNull();
        expect(refused).toEqual([
          { kind: "reply", subject: `${prefix}.ask.echo`, reply: `${prefix}.${tail}` },
        ]);
        listening.close();
      });

      test("a handler that throws does not disturb other handlers", async () => {
        const { bus, prefix } = await setup({ init: false });
        const received: string[] = [];
        bus.subscribe(`${prefix}.x`, () => {
          throw new Error("a bug");
        });
        bus.subscribe(`${prefix}.x`, (message) => received.push(read(message)));
        bus.publish(`${prefix}.x`, text("1"));
        bus.publish(`${prefix}.x`, text("2"));
        await vi.waitFor(() => expect(received).toEqual(["1", "2"]), SOON);
      });

      test("a closed subscription gets no more messages, and closing it again is safe", async () => {
        const { bus, prefix } = await setup({ init: false });
        const received: string[] = [];
        const subscription = bus.subscribe(`${prefix}.x`, (message) =>
          received.push(`closed ${read(message)}`),
        );
        bus.subscribe(`${prefix}.x`, (message) => received.push(read(message)));
        subscription.close();
        subscription.close();
        bus.publish(`${prefix}.x`, text("1"));
        await vi.waitFor(() => expect(received).toEqual(["1"]), SOON);
      });

      test("a message of the largest size passes; one byte more is rejected, headers included", async () => {
        const { transport, bus, prefix } = await setup({ init: false });
        const max = transport.maxPayloadBytes;
        const sizes: number[] = [];
        bus.subscribe(`${prefix}.big`, (message) => sizes.push(message.data.length));
        bus.publish(`${prefix}.big`, new Uint8Array(max));
        await vi.waitFor(() => expect(sizes).toEqual([max]), SOON);
        const tooLarge = withCode("payload_too_large");
        expect(() => bus.publish(`${prefix}.big`, new Uint8Array(max + 1))).toThrow(tooLarge);
        const headers = { "X-Some": "header" };
        expect(() => bus.publish(`${prefix}.big`, new Uint8Array(max), { headers })).toThrow(tooLarge);
        const asked = bus.request(`${prefix}.big`, new Uint8Array(max + 1), { timeoutMs: 1_000 });
        await expect(asked).rejects.toThrow(tooLarge);
      });

      test("a publish to a stream's subject is stored, and a request there gets the acknowledgement", async () => {
        const { transport, bus, subjects } = await setup();
        const subject = subjects.result("echo", "-", "a");
        const reply = await bus.request(subject, text("done"), { timeoutMs: 60_000 });
        expect(JSON.parse(read(reply))).toMatchObject({ stream: expect.stringMatching(/_RESULTS$/), seq: 1 });
        expect(read((await transport.log("results").last(subject))!)).toBe("done");
        const refused = await bus.request(subject, text("again"), { timeoutMs: 60_000 });
        expect(JSON.parse(read(refused))).toMatchObject({ error: { description: expect.any(String) } });
      });
    });

    describe("log", () => {
      test("an appended message is read back complete, by subject and by sequence", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        const subject = subjects.result("echo", "-", "a");
        const headers = { "Content-Type": "application/json", traceparent: "00-abc" };
        const beforeMs = Date.now();
        const { seq, duplicate } = await log.append(subject, text('{"a":1}'), { headers, messageId: "id-1" });
        expect({ seq, duplicate }).toEqual({ seq: 1, duplicate: false });
        const found = await Promise.all([
          log.last(subject),
          log.last(subject, { fresh: true }),
          log.last(subjects.filters.resultById("a")),
          log.get(seq),
        ]);
        for (const stored of found) {
          expect(stored).toMatchObject({ subject, seq: 1 });
          expect(read(stored!)).toBe('{"a":1}');
          expect(stored?.header("content-type")).toBe("application/json");
          expect(stored?.header("nats-msg-id")).toBe("id-1");
          expect(stored?.header("nothing")).toBeUndefined();
          // Both clocks are this machine's; the server reads its clock a moment before or after this test.
          expect(Math.abs(stored!.storedAtMs - beforeMs)).toBeLessThan(60_000);
        }
      });

      test("an empty body and a message without headers are stored unchanged", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        await log.append(subjects.result("echo", "-", "a"), new Uint8Array());
        for (const stored of [await log.get(1), await log.last(">", { fresh: true })]) {
          expect(stored?.data).toHaveLength(0);
          expect(stored?.header(HEADERS.messageId)).toBeUndefined();
        }
      });

      test("the last message of several subjects is the message that was stored last", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        for (const id of ["a", "b", "c"]) await log.append(subjects.result("echo", "-", id), text(id));
        expect(read((await log.last(subjects.filters.allResults, { fresh: true }))!)).toBe("c");
      });

      test("a missing message is null", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        expect(await log.last(subjects.filters.resultById("nothing"))).toBeNull();
        expect(await log.last(subjects.filters.resultById("nothing"), { fresh: true })).toBeNull();
        expect(await log.get(77)).toBeNull();
      });

      test("the first writer of a result wins: the second is a conflict and is not republished", async () => {
        const { transport, bus, subjects } = await setup();
        const [done, attempts]: [Incoming[], string[]] = [[], []];
        bus.subscribe(subjects.filters.allDone, (message) => done.push(message));
        bus.subscribe(subjects.filters.allResults, (message) => attempts.push(read(message)));
        const subject = subjects.result("echo", "-", "a");
        const log = transport.log("results");
        await log.append(subject, text("first"), { headers: { "X-Who": "one" } });
        await expect(log.append(subject, text("second"))).rejects.toThrow(withCode("conflict"));
        await log.append(subjects.result("echo", "-", "b"), text("other"));
        await vi.waitFor(() => expect(done.map(read)).toEqual(["first", "other"]), SOON);
        expect(done[0]?.subject).toBe(subject.replace(".result.", ".done."));
        expect(done[0]?.header("x-who")).toBe("one");
        expect(done[0]?.header("nats-sequence")).toBe("1");
        expect(done[0]?.header("nats-subject")).toBe(subject);
        expect(read((await log.last(subject, { fresh: true }))!)).toBe("first");
        expect(attempts).toEqual(["first", "second", "other"]); // the plain subject also carries the rejected message
      });

      test("exactly one of many concurrent writers wins", async () => {
        const { transport, subjects } = await setup();
        const subject = subjects.result("echo", "-", "a");
        const writes = Array.from({ length: 20 }, (_, index) =>
          transport.log("results").append(subject, text(String(index))),
        );
        const outcomes = await Promise.allSettled(writes);
        expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
        for (const outcome of outcomes)
          if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "conflict" });
      });

      test("an append whose expectation does not hold is a conflict and stores nothing", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("journal");
        const [one, other] = [subjects.journal("echo", "a"), subjects.journal("echo", "b")];
        expect(
          await log.append(one, text("1"), { expectedLastSeq: 0, expectedLastSubjectSeq: 0 }),
        ).toMatchObject({
          seq: 1,
        });
        expect(await log.append(other, text("2"), { expectedLastSubjectSeq: 0 })).toMatchObject({ seq: 2 });
        const conflict = withCode("conflict");
        await expect(log.append(one, text("x"), { expectedLastSeq: 1 })).rejects.toThrow(conflict);
        await expect(log.append(one, text("x"), { expectedLastSubjectSeq: 0 })).rejects.toThrow(conflict);
        await expect(log.append(one, text("x"), { expectedLastSubjectSeq: 2 })).rejects.toThrow(conflict);
        expect(await log.append(one, text("3"), { expectedLastSubjectSeq: 1 })).toMatchObject({ seq: 3 });
        expect(await log.info()).toMatchObject({ messages: 3, lastSeq: 3 });
      });

      test("a repeated message id answers duplicate and stores nothing", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("journal");
        const subject = subjects.journal("echo", "a");
        const first = await log.append(subject, text("1"), { messageId: "same" });
        expect(await log.append(subject, text("2"), { messageId: "same" })).toEqual({
          seq: first.seq,
          duplicate: true,
        });
        expect(await log.append(subject, text("3"), { messageId: "other" })).toMatchObject({
          duplicate: false,
        });
        expect(await log.info()).toMatchObject({ messages: 2 });
      });

      test("after a purge the same message id still answers duplicate, which does not mean stored", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("journal");
        const subject = subjects.journal("echo", "a");
        await log.append(subject, text("1"), { messageId: "same" });
        await log.purge({ filter: subject });
        expect(await log.append(subject, text("1"), { messageId: "same" })).toMatchObject({
          duplicate: true,
        });
        expect(await log.last(subject, { fresh: true })).toBeNull();
      });

      test("every call before init, and an append to a subject without a stream, is unavailable", async () => {
        const { transport, prefix, subjects } = await setup({ init: false });
        const unavailable = withCode("unavailable");
        const log = transport.log("results");
        await expect(log.append(subjects.result("echo", "-", "a"), text(""))).rejects.toThrow(unavailable);
        await expect(log.info()).rejects.toThrow(unavailable);
        await expect(log.last(">", { fresh: true })).rejects.toThrow(unavailable);
        await expect(transport.bucket("limits").put("a", text(""))).rejects.toThrow(unavailable);
        await expect(transport.blobs.put(text("a"))).rejects.toThrow(unavailable);
        await transport.init();
        await expect(log.append(`${prefix}.nowhere`, text(""))).rejects.toThrow(unavailable);
        await expect(transport.blobs.put(text("a"))).resolves.toMatchObject({ bytes: 1 });
      });

      test("a message over the stream's limit is payload_too_large", async () => {
        const { transport, subjects } = await setup();
        const subject = subjects.task(address("big"));
        const body = new Uint8Array(TASK_MESSAGE_LIMIT_BYTES + 1);
        await expect(transport.log("tasks").append(subject, body)).rejects.toThrow(
          withCode("payload_too_large"),
        );
        const largest = new Uint8Array(INLINE_LIMIT_BYTES);
        expect(await transport.log("tasks").append(subject, largest)).toMatchObject({ seq: 1 });
      });

      test("a full stream is rate_limited, keeps its messages, and accepts more after work is done", async () => {
        const { transport, subjects } = await setup({ limits: { taskBytes: 10_000 } });
        const log = transport.log("tasks");
        const body = new Uint8Array(3_000);
        for (const id of ["a", "b", "c"]) await log.append(subjects.task(address(id)), body);
        await expect(log.append(subjects.task(address("d")), body)).rejects.toThrow(withCode("rate_limited"));
        expect(await log.info()).toMatchObject({ messages: 3 });
        await log.delete(1);
        expect(await log.append(subjects.task(address("d")), body)).toMatchObject({ seq: 4 });
      });

      test("a full stream with several messages of a subject refuses another subject, and replaces the oldest message of its own", async () => {
        const { transport, subjects } = await setup({ limits: { taskBytes: 800_000 } }); // an eighth for the shared values
        const log = transport.log("shared");
        const body = new Uint8Array(5_000);
        const held = subjects.shared("run", "held");
        for (let count = 1; count <= 16; count++) await log.append(held, body);
        await log.append(subjects.shared("run", "small"), new Uint8Array(15_000));
        await expect(log.append(subjects.shared("run", "other"), body)).rejects.toThrow(
          withCode("rate_limited"),
        );
        await expect(log.append(held, new Uint8Array(6_000))).rejects.toThrow(withCode("rate_limited"));
        expect(await log.append(held, body)).toMatchObject({ seq: 18 });
        expect((await all(log.read({ filter: held }))).map(({ seq }) => seq)).toEqual([
          ...Array.from({ length: 15 }, (_, index) => index + 2),
          18,
        ]);
        expect(await log.info()).toMatchObject({ messages: 17 });
      });

      test("the server drops a message after its time to live", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("journal");
        const subject = subjects.journal("echo", "a");
        await log.append(subject, text("short"), { ttlMs: 1_000 });
        expect(await log.last(subject, { fresh: true })).not.toBeNull();
        await vi.waitFor(async () => expect(await log.last(subject, { fresh: true })).toBeNull(), SOON);
      });

      test("a time to live, a rollup or a schedule is rejected where the stream does not allow it", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        const subject = subjects.result("echo", "-", "a");
        const invalid = withCode("invalid_input");
        await expect(log.append(subject, text(""), { ttlMs: 1_000 })).rejects.toThrow(invalid);
        await expect(log.append(subject, text(""), { rollup: true })).rejects.toThrow(invalid);
        const headers = schedule(Date.now() + 60_000, subjects.due(address("a")));
        await expect(log.append(subject, text(""), { headers })).rejects.toThrow(invalid);
      });

      test("a rollup drops all earlier messages of its own subject only", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("journal");
        const [one, other] = [subjects.journal("echo", "a"), subjects.journal("echo", "b")];
        for (const subject of [one, one, other, one]) await log.append(subject, text("step"));
        await log.append(one, text("over"), { rollup: true, ttlMs: 600_000 });
        expect((await all(log.read())).map((stored) => [stored.seq, read(stored)])).toEqual([
          [3, "step"],
          [5, "over"],
        ]);
      });

      test("a read is in order across gaps and pages, by filter, from a sequence, up to a limit", async () => {
        const { transport, prefix, subjects } = await setup();
        const log = transport.log("results");
        const ids = Array.from({ length: 700 }, (_, index) => `t${index}`);
        await Promise.all(
          ids.map((id, index) => log.append(subjects.result(index % 2 ? "odd" : "even", "-", id), text(id))),
        );
        const stored = await all(log.read());
        expect(stored.map(({ seq }) => seq)).toEqual(ids.map((_, index) => index + 1));
        for (const { seq } of stored) if (seq > 100 && seq <= 650) await log.delete(seq);
        const left = await all(log.read());
        expect(left.map(({ seq }) => seq)).toEqual(
          stored.map(({ seq }) => seq).filter((seq) => seq <= 100 || seq > 650),
        );
        const odd = await all(log.read({ filter: `${prefix}.result.odd.>` }));
        expect(odd.map(({ seq }) => seq)).toEqual(
          left.filter(({ subject }) => subject.includes(".odd.")).map(({ seq }) => seq),
        );
        const some = await all(log.read({ fromSeq: 99, limit: 4 }));
        expect(some.map(({ seq }) => seq)).toEqual([99, 100, 651, 652]);
        expect(await all(log.read({ fromSeq: 701 }))).toEqual([]);
      });

      test("a read of large messages continues over as many pages as it needs", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("tasks");
        const ids = Array.from({ length: 12 }, (_, index) => `t${index}`);
        for (const id of ids)
          await log.append(subjects.task(address(id)), Buffer.alloc(INLINE_LIMIT_BYTES, id));
        const stored = await all(log.read());
        expect(stored.map(({ data }) => data.length)).toEqual(ids.map(() => INLINE_LIMIT_BYTES));
      });

      test("a tail delivers the messages after a sequence, then new messages, in order, until it is closed", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        const add = (id: string) => log.append(subjects.result("echo", "-", id), text(id));
        for (const id of ["a", "b", "c"]) await add(id);
        const came: [number, string][] = [];
        const tail = await log.tail({
          afterSeq: 1,
          onStored: (stored) => came.push([stored.seq, read(stored)]),
        });
        expect(came).toEqual([
          [2, "b"],
          [3, "c"],
        ]);
        await add("d");
        await vi.waitFor(() => expect(came.at(-1)).toEqual([4, "d"]), SOON);
        tail.close();
        await add("e");
        await transport.bus.flush();
        expect(came).toHaveLength(3);
      });

      test("the last message of each subject comes once, without its body, up to a bound", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("journal");
        const add = (id: string, count: number) =>
          log.append(subjects.journal("echo", id), text("body"), { headers: { Count: String(count) } });
        for (const [id, count] of [
          ["a", 1],
          ["b", 1],
          ["a", 2],
          ["c", 1],
        ] as const)
          await add(id, count);
        const look = async (filter: string, max = 10) => {
          const heads: string[] = [];
          const isCut = await log.lasts({
            ...{ filter, max },
            onLast: ({ subject, seq, header }) =>
              heads.push(`${subject.split(".").at(-1)} ${seq} ${header("Count")}`),
          });
          return { heads, isCut };
        };
        const all = `${transport.prefix}.journal.*.*`;
        expect(await look(all)).toEqual({ heads: ["b 2 1", "a 3 2", "c 4 1"], isCut: false });
        expect(await look(all, 2)).toEqual({ heads: ["b 2 1", "a 3 2"], isCut: true });
        expect(await look(subjects.journal("echo", "none"))).toEqual({ heads: [], isCut: false });
      });

      test("the error of a rejected expectation gives the last sequence", async () => {
        const { transport, prefix } = await setup();
        const log = transport.log("office");
        await log.append(`${prefix}.log.office`, text("a"), { expectedLastSeq: 0 });
        const refused = log.append(`${prefix}.log.office`, text("b"), { expectedLastSeq: 0 });
        expect(lastSeqOf(await refused.catch((error: unknown) => error))).toBe(1);
        expect(lastSeqOf(new Error("wrong last sequence: 1"))).toBeUndefined();
      });

      test("a read ends at the last message that was stored when it began", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        await log.append(subjects.result("echo", "-", "a"), text("a"));
        const seen: string[] = [];
        for await (const stored of log.read()) {
          seen.push(read(stored));
          await log.append(subjects.result("echo", "-", `more${seen.length}`), text("more"));
        }
        expect(seen).toEqual(["a"]);
      });

      test("a read of a work queue leaves its messages there", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        for (const id of ["a", "b"])
          await transport.log("tasks").append(subjects.task(address(id)), text(id));
        expect((await all(transport.log("tasks").read())).map(read)).toEqual(["a", "b"]);
        await vi.waitFor(async () => expect(await consumer.info()).toMatchObject({ pending: 2 }), SOON);
      });

      test("subjects are counted by filter, up to the requested maximum", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("journal");
        for (const id of ["a", "a", "b", "c"]) await log.append(subjects.journal("echo", id), text(""));
        expect(await log.subjects(subjects.filters.journalById("a"))).toEqual(
          new Map([[subjects.journal("echo", "a"), 2]]),
        );
        expect((await log.subjects(">")).size).toBe(3);
        expect((await log.subjects(">", { max: 2 })).size).toBe(2);
        expect(await log.subjects(subjects.filters.journalById("none"))).toEqual(new Map());
      });

      test("info counts messages and sequences, also after all messages are removed", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        expect(await log.info()).toEqual({
          messages: 0,
          bytes: 0,
          firstSeq: 1,
          lastSeq: 0,
          limitBytes: null,
        });
        for (const id of ["a", "b", "c"]) await log.append(subjects.result("echo", "-", id), text(id));
        await log.delete(1);
        expect(await log.info()).toMatchObject({ messages: 2, firstSeq: 2, lastSeq: 3 });
        expect((await log.info()).bytes).toBeGreaterThan(0);
        expect((await transport.log("tasks").info()).limitBytes).toBe(4 * 1024 ** 3);
        expect(await log.purge()).toBe(2);
        expect(await log.info()).toEqual({
          messages: 0,
          bytes: 0,
          firstSeq: 4,
          lastSeq: 3,
          limitBytes: null,
        });
      });

      test("a purge removes the messages that match its filter and lie below its sequence", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("tasks");
        const left = async () => (await all(log.read())).map(({ seq }) => seq);
        for (const [id, scope] of [
          ["a", "s1"],
          ["b", "s2"],
          ["c", "s1"],
          ["d", "-"],
          ["e", "s1"],
        ] as const)
          await log.append(subjects.task({ ...address(id), scope }), text(id));
        expect(await log.purge({ filter: subjects.filters.tasksInScope("s1"), beforeSeq: 4 })).toBe(2);
        expect(await left()).toEqual([2, 4, 5]);
        expect(await log.purge({ filter: subjects.filters.tasksInScope("s1") })).toBe(1);
        expect(await log.purge({ filter: subjects.filters.taskById("d") })).toBe(1);
        expect(await log.purge({ filter: subjects.filters.taskById("d") })).toBe(0);
        expect(await log.purge({ beforeSeq: 100 })).toBe(1);
        expect(await left()).toEqual([]);
      });

      test("after a purge up to a future sequence the stream continues at that sequence", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("office");
        for (const body of ["a", "b"]) await log.append(subjects.officeLog, text(body));
        expect(await log.purge({ beforeSeq: 1_000 })).toBe(2);
        expect(await log.info()).toMatchObject({ messages: 0, firstSeq: 1_000, lastSeq: 999 });
        const append = (expectedLastSeq: number) =>
          log.append(subjects.officeLog, text("c"), { expectedLastSeq });
        await expect(append(2)).rejects.toThrow(withCode("conflict"));
        expect(await append(999)).toMatchObject({ seq: 1_000 });
        expect(await log.info()).toMatchObject({ messages: 1, firstSeq: 1_000, lastSeq: 1_000 });
        expect(await log.purge({ beforeSeq: 1_000 })).toBe(0);
      });

      test("delete says whether the message existed", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("results");
        await log.append(subjects.result("echo", "-", "a"), text("a"));
        expect([await log.delete(1), await log.delete(1), await log.delete(99)]).toEqual([
          true,
          false,
          false,
        ]);
      });

      test("the audit log rejects every removal, and the control log rejects the removal of a single entry", async () => {
        const { transport, subjects } = await setup();
        const audit = transport.log("audit");
        await audit.append(subjects.audit("echo", "a"), text("a"));
        await expect(audit.delete(1)).rejects.toThrow(withCode("not_permitted"));
        await expect(audit.purge()).rejects.toThrow(withCode("not_permitted"));
        await expect(audit.purge({ beforeSeq: 2 })).rejects.toThrow(withCode("not_permitted"));
        expect(await audit.info()).toMatchObject({ messages: 1, lastSeq: 1 });
        const office = transport.log("office");
        await office.append(subjects.officeLog, text("a"));
        await expect(office.delete(1)).rejects.toThrow(withCode("not_permitted"));
        expect(await office.purge()).toBe(1);
      });

      test("a dead letter replaces the earlier dead letter of the same subject", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("dead");
        for (const body of ["old", "new"]) await log.append(subjects.dead("echo", "a"), text(body));
        expect((await all(log.read())).map(read)).toEqual(["new"]);
      });
    });

    describe("queue", () => {
      test("a consumer delivers the messages that match its filter, in order, with their facts", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("tasks");
        await log.append(subjects.task(address("a")), text("a"), { headers: { "X-Head": "er" } });
        await log.append(subjects.task({ ...address("other"), capability: "other" }), text("other"));
        await log.append(subjects.task(address("b")), text("b"));
        const consumer = await taskConsumer(transport, "echo");
        const { deliveries, ended } = pull(consumer, { max: 2, expiresMs: 5_000 });
        expect(await ended).toBe("filled");
        expect(deliveries.map(read)).toEqual(["a", "b"]);
        expect(deliveries.map(({ seq, deliveryCount, pending }) => [seq, deliveryCount, pending])).toEqual([
          [1, 1, 1],
          [3, 1, 0],
        ]);
        expect(deliveries[0]?.subject).toBe(subjects.task(address("a")));
        expect(deliveries[0]?.header("x-head")).toBe("er");
        expect(Math.abs(deliveries[0]!.storedAtMs - Date.now())).toBeLessThan(60_000);
      });

      test("an open pull gets messages that are appended later", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        const { deliveries, ended } = pull(consumer, { max: 3, expiresMs: 10_000 });
        await vi.waitFor(async () => expect(await consumer.info()).toMatchObject({ openPulls: 1 }), SOON);
        for (const id of ["a", "b", "c"])
          await transport.log("tasks").append(subjects.task(address(id)), text(id));
        expect(await ended).toBe("filled");
        expect(deliveries.map(read)).toEqual(["a", "b", "c"]);
      });

      test("a pull expires with the messages that came, and a pull without expiry brings the waiting messages", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        const empty = pull(consumer, { max: 2, expiresMs: 0 });
        expect(await empty.ended).toBe("expired");
        expect(empty.deliveries).toEqual([]);
        await transport.log("tasks").append(subjects.task(address("a")), text("a"));
        const now = pull(consumer, { max: 2, expiresMs: 0 });
        expect(await now.ended).toBe("expired");
        expect(now.deliveries.map(read)).toEqual(["a"]);
        now.deliveries[0]?.nak(0);
        const waiting = pull(consumer, { max: 2, expiresMs: 1_000 });
        expect(await waiting.ended).toBe("expired");
        expect(waiting.deliveries.map(read)).toEqual(["a"]);
        expect(waiting.handle.remaining).toBe(1);
      });

      test("deliveries that are in flight when their pull is cancelled go back to the queue at once", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        const ids = Array.from({ length: 50 }, (_, index) => `t${index}`);
        const log = transport.log("tasks");
        await Promise.all(ids.map((id) => log.append(subjects.task(address(id)), text(id))));
        const { promise: ended, resolve } = Promise.withResolvers<PullEnd>();
        const taken: Delivery[] = [];
        let cancelled: Pull | undefined;
        cancelled = consumer.pull(
          { max: 50, expiresMs: 5_000 },
          {
            onDelivery: (delivery) => {
              taken.push(delivery);
              cancelled?.cancel(); // the others are on their way, or have arrived already
            },
            onEnd: resolve,
          },
        );
        expect(await ended).toMatch(/cancelled|filled/);
        // Half of the ack-wait: a delivery that was dropped would come back only after all of it.
        const rest = pull(consumer, { max: 50 - taken.length, expiresMs: 5_000 });
        if (taken.length < 50) expect(await rest.ended).toBe("filled");
        expect([...taken, ...rest.deliveries].map(read).sort()).toEqual([...ids].sort());
      });

      test("an ack removes the message from the queue", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        for (const id of ["a", "b"])
          await transport.log("tasks").append(subjects.task(address(id)), text(id));
        const { deliveries, ended } = pull(consumer, { max: 2, expiresMs: 5_000 });
        await ended;
        expect(await consumer.info()).toEqual({ pending: 0, ackPending: 2, openPulls: 0 });
        for (const delivery of deliveries) delivery.ack();
        await vi.waitFor(
          async () => expect(await transport.log("tasks").info()).toMatchObject({ messages: 0 }),
          SOON,
        );
        expect(await consumer.info()).toEqual({ pending: 0, ackPending: 0, openPulls: 0 });
      });

      test("while a task is stored, a second task with its address is a conflict; after the ack it is accepted", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        const log = transport.log("tasks");
        const subject = subjects.task(address("a"));
        await log.append(subject, text("1"));
        await expect(log.append(subject, text("2"))).rejects.toThrow(withCode("conflict"));
        const { deliveries, ended } = pull(consumer, { max: 1, expiresMs: 5_000 });
        await ended;
        await expect(log.append(subject, text("2"))).rejects.toThrow(withCode("conflict"));
        deliveries[0]?.ack();
        await vi.waitFor(async () => expect(await log.info()).toMatchObject({ messages: 0 }), SOON);
        expect(await log.append(subject, text("3"))).toMatchObject({ duplicate: false });
      });

      test("a nak causes a redelivery: at once, or after its delay", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        await transport.log("tasks").append(subjects.task(address("a")), text("a"));
        const { deliveries, givenBack, ended, handle } = pull(consumer, { max: 3, expiresMs: 20_000 });
        await vi.waitFor(() => expect(deliveries).toHaveLength(1), SOON);
        expect(givenBack).toEqual([]);
        deliveries[0]?.nak(0);
        await vi.waitFor(() => expect(deliveries).toHaveLength(2), SOON);
        const nakedAtMs = Date.now();
        deliveries[1]?.nak(300);
        expect(givenBack).toEqual([1, 2]);
        expect(await consumer.info()).toMatchObject({ ackPending: 1, pending: 0 });
        expect(await ended).toBe("filled");
        expect(Date.now() - nakedAtMs).toBeGreaterThanOrEqual(290); // two clocks round to whole ms
        expect(deliveries.map(({ deliveryCount }) => deliveryCount)).toEqual([1, 2, 3]);
        expect(handle.remaining).toBe(0);
      });

      test("a message without an answer is redelivered after its ack-wait, unless its holder reports work in progress", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        for (const id of ["silent", "working"])
          await transport.log("tasks").append(subjects.task(address(id)), text(id));
        const first = pull(consumer, { max: 2, expiresMs: 5_000 });
        await first.ended;
        const startedMs = Date.now();
        const renewal = setInterval(() => first.deliveries[1]?.working(), ACK_WAIT_MS / 4);
        const second = pull(consumer, { max: 2, expiresMs: ACK_WAIT_MS + 3_000 });
        expect(await second.ended).toBe("expired");
        clearInterval(renewal);
        expect(second.deliveries.map((delivery) => [read(delivery), delivery.deliveryCount])).toEqual([
          ["silent", 2],
        ]);
        expect(Date.now() - startedMs).toBeGreaterThanOrEqual(ACK_WAIT_MS - 100);
        first.deliveries[0]?.ack(); // an ack proves no ownership, so the late ack of the first holder counts
        await vi.waitFor(async () => expect(await transport.log("tasks").get(1)).toBeNull(), SOON);
      });

      test("a cancelled pull ends once and brings no more deliveries", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        const ends: PullEnd[] = [];
        const deliveries: Delivery[] = [];
        const handle = consumer.pull(
          { max: 5, expiresMs: 5_000 },
          { onDelivery: (delivery) => deliveries.push(delivery), onEnd: (end) => ends.push(end) },
        );
        handle.cancel();
        handle.cancel();
        await transport.log("tasks").append(subjects.task(address("a")), text("a"));
        await vi.waitFor(() => expect(ends).toEqual(["cancelled"]), SOON);
        await transport.bus.flush();
        expect(deliveries).toEqual([]);
      });

      test("several pulls share the messages, and no pull gets more than it asked for", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        const pulls = [1, 2, 3].map((max) => pull(consumer, { max, expiresMs: 10_000 }));
        const ids = ["a", "b", "c", "d", "e", "f"];
        await Promise.all(
          ids.map((id) => transport.log("tasks").append(subjects.task(address(id)), text(id))),
        );
        expect(await Promise.all(pulls.map(({ ended }) => ended))).toEqual(["filled", "filled", "filled"]);
        expect(pulls.map(({ deliveries }) => deliveries.length)).toEqual([1, 2, 3]);
        expect(pulls.flatMap(({ deliveries }) => deliveries.map(read)).sort()).toEqual(ids);
      });

      test("subjects of no known form are not acknowledged", async () => {
        const { transport, prefix } = await setup();
        const mistyped = {
          tasks: [
            "task.echo.hihg.-.a",
            "task.echo.high.a",
            "task.echo.high.-.a.b",
            "task.cancel",
            "placed.h.a.b",
          ],
          later: ["later.a", "later.-.a.b", "due.echo.hihg.-.a"],
          results: ["result.echo.a", "result.echo.-.a.b"],
          journal: ["journal.a", "journal.echo.a.b"],
          dead: ["dead.a", "dead.echo.a.b"],
        } as const;
        for (const key of ["tasks", "later", "results", "journal", "dead"] as const) {
          for (const subject of mistyped[key]) {
            const append = transport.log(key).append(`${prefix}.${subject}`, text("a"));
            await expect(append, subject).rejects.toThrow(withCode("unavailable"));
          }
          expect(await transport.log(key).info()).toMatchObject({ messages: 0 });
        }
      });

      test("creating a consumer twice gives one consumer; an overlapping filter is a conflict", async () => {
        const { transport, prefix, subjects } = await setup();
        const filter = subjects.filters.tasks("echo", "normal");
        const queue = transport.queue("tasks");
        await queue.consumer({ name: "echo-normal", filter });
        const consumer = await queue.consumer({ name: "echo-normal", filter });
        await transport.log("tasks").append(subjects.task(address("a")), text("a"));
        await vi.waitFor(
          async () =>
            expect(await queue.consumers()).toEqual([
              {
                name: "echo-normal",
                filter,
                pending: 1,
                ackPending: 0,
                deliveredSeq: 0,
                pausedUntilMs: null,
              },
            ]),
          SOON,
        );
        await pull(consumer, { max: 1, expiresMs: 5_000 }).ended;
        expect(await queue.consumers()).toMatchObject([{ pending: 0, ackPending: 1, deliveredSeq: 1 }]);
        const overlapping = queue.consumer({ name: "all", filter: `${prefix}.task.echo.>` });
        await expect(overlapping).rejects.toThrow(withCode("conflict"));
      });

      test("a paused consumer delivers nothing, also when it is made again, and delivers on when it is resumed", async () => {
        const { transport, subjects } = await setup();
        const queue = transport.queue("tasks");
        const consumer = await taskConsumer(transport, "echo");
        await transport.log("tasks").append(subjects.task(address("a")), text("a"));
        const held = pull(consumer, { max: 1, expiresMs: 5_000 });
        await vi.waitFor(() => expect(held.deliveries).toHaveLength(1), SOON);
        expect(await queue.pauseConsumer(consumer.name, PAUSED_UNTIL_MS)).toBe(true);
        expect(await queue.pauseConsumer(consumer.name, PAUSED_UNTIL_MS)).toBe(true);
        held.deliveries[0]!.nak(0);
        await transport.log("tasks").append(subjects.task(address("b")), text("b"));
        await taskConsumer(transport, "echo");
        expect(await pull(consumer, { max: 2, expiresMs: 0 }).ended).toBe("expired");
        const waiting = pull(consumer, { max: 2, expiresMs: 20_000 });
        await vi.waitFor(async () => expect(await consumer.info()).toMatchObject({ openPulls: 1 }), SOON);
        expect(await queue.consumers()).toMatchObject([{ pausedUntilMs: PAUSED_UNTIL_MS }]);
        expect(waiting.deliveries).toEqual([]);
        expect(await queue.pauseConsumer(consumer.name, null)).toBe(true);
        expect(await waiting.ended).toBe("filled");
        expect(await queue.consumers()).toMatchObject([{ pausedUntilMs: null }]);
        expect(await queue.pauseConsumer("absent", null)).toBe(false);
      });

      test("a consumer that is made paused delivers nothing", async () => {
        const { transport, subjects } = await setup();
        const filter = subjects.filters.tasks("echo", "normal");
        const spec = { name: "echo-normal", filter, pausedUntilMs: PAUSED_UNTIL_MS };
        const consumer = await transport.queue("tasks").consumer(spec);
        await transport.log("tasks").append(subjects.task(address("a")), text("a"));
        expect(await pull(consumer, { max: 1, expiresMs: 0 }).ended).toBe("expired");
        expect(await transport.queue("tasks").consumers()).toMatchObject([
          { pausedUntilMs: PAUSED_UNTIL_MS },
        ]);
      });

      test("deleting a consumer ends its pulls as gone and keeps its messages for the next one", async () => {
        const { transport, subjects } = await setup();
        const queue = transport.queue("tasks");
        const consumer = await taskConsumer(transport, "echo");
        await transport.log("tasks").append(subjects.task(address("a")), text("a"));
        const open = pull(consumer, { max: 10, expiresMs: 50_000 });
        await vi.waitFor(() => expect(open.deliveries).toHaveLength(1), SOON);
        expect(await queue.deleteConsumer(consumer.name)).toBe(true);
        expect(await open.ended).toBe("gone");
        expect(await queue.deleteConsumer(consumer.name)).toBe(false);
        expect(await consumer.info()).toBeNull();
        expect(await pull(consumer, { max: 1, expiresMs: 50_000 }).ended).toBe("gone");
        expect(await queue.consumers()).toEqual([]);
        const again = pull(await taskConsumer(transport, "echo"), { max: 1, expiresMs: 5_000 });
        expect(await again.ended).toBe("filled");
        expect(again.deliveries.map((delivery) => [read(delivery), delivery.deliveryCount])).toEqual([
          ["a", 1],
        ]);
      });

      test("the server deletes an idle consumer, but not while a pull is open, and keeps its messages", async () => {
        const { transport, subjects } = await setup();
        const filter = subjects.filters.placedOnHost({ class: "default", host: "host-1" });
        const spec = { name: "placed-host-1", filter, inactiveMs: 1_000 };
        const subject = subjects.placed({
          class: "default",
          host: "host-1",
          agent: "a-1",
          scope: "-",
          taskId: "t",
        });
        const idle = await transport.queue("placed-default").consumer(spec);
        await transport.log("placed-default").append(subject, text("t"));
        await vi.waitFor(async () => expect(await idle.info()).toBeNull(), SOON);
        const used = await transport.queue("placed-default").consumer(spec);
        const { deliveries, ended } = pull(used, { max: 2, expiresMs: 3_000 });
        expect(await ended).toBe("expired");
        expect(deliveries.map(read)).toEqual(["t"]);
        deliveries[0]?.ack();
        await vi.waitFor(async () => expect(await used.info()).toBeNull(), SOON);
        expect(await pull(used, { max: 1, expiresMs: 0 }).ended).toBe("gone");
      });

      test("purged tasks are no longer pending and are not delivered", async () => {
        const { transport, subjects } = await setup();
        const consumer = await taskConsumer(transport, "echo");
        const log = transport.log("tasks");
        for (const [id, scope] of [
          ["a", "s1"],
          ["b", "-"],
          ["c", "s1"],
        ] as const)
          await log.append(subjects.task({ ...address(id), scope }), text(id));
        await log.purge({ filter: subjects.filters.tasksInScope("s1") });
        await vi.waitFor(async () => expect(await consumer.info()).toMatchObject({ pending: 1 }), SOON);
        const { deliveries, ended } = pull(consumer, { max: 3, expiresMs: 1_000 });
        await ended;
        expect(deliveries.map(read)).toEqual(["b"]);
      });
    });

    describe("schedules", () => {
      test("a scheduled message moves to its target when due, without its schedule headers", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("later");
        const consumer = await transport
          .queue("later")
          .consumer({ name: "movers", filter: subjects.filters.allDue });
        const target = subjects.due(address("a"));
        const dueMs = Date.now() + 400;
        const headers = { ...schedule(dueMs, target), "Content-Type": "application/json" };
        await log.append(subjects.later("-", "a"), text("{}"), {
          headers,
          expectedLastSubjectSeq: 0,
          messageId: "a",
        });
        const waiting = subjects.due(address("b"));
        await log.append(subjects.later("-", "b"), text("{}"), {
          headers: schedule(Date.now() + 600_000, waiting),
        });
        expect((await log.last(subjects.filters.laterById("b")))?.header("nats-schedule-target")).toBe(
          waiting,
        );
        const { deliveries, ended } = pull(consumer, { max: 1, expiresMs: 10_000 });
        expect(await ended).toBe("filled");
        expect(Date.now()).toBeGreaterThanOrEqual(dueMs - 1);
        const [fired] = deliveries;
        expect([fired?.subject, read(fired!)]).toEqual([target, "{}"]);
        expect(fired?.header("content-type")).toBe("application/json");
        expect(fired?.header("nats-scheduler")).toBe(subjects.later("-", "a"));
        for (const name of [HEADERS.schedule, HEADERS.scheduleTarget, HEADERS.messageId])
          expect(fired?.header(name)).toBeUndefined();
        fired?.ack();
        await vi.waitFor(async () => expect(await log.info()).toMatchObject({ messages: 1 }), SOON);
      });

      test("a schedule in the past fires at once", async () => {
        const { transport, subjects } = await setup();
        const headers = schedule(Date.now() - 60_000, subjects.due(address("a")));
        await transport.log("later").append(subjects.later("-", "a"), text("late"), { headers });
        await vi.waitFor(
          async () =>
            expect(
              await transport.log("later").last(subjects.filters.dueById("a"), { fresh: true }),
            ).not.toBeNull(),
          SOON,
        );
      });

      test("a purge cancels a schedule", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("later");
        const due = (id: string) => log.last(subjects.filters.dueById(id), { fresh: true });
        // On a loaded machine it may be due before it is purged: then with more time.
        for (let waitMs = 400; ; waitMs *= 3) {
          const [cancelled, kept] = [`cancelled${waitMs}`, `kept${waitMs}`];
          for (const [id, atMs] of [
            [cancelled, Date.now() + waitMs],
            [kept, Date.now() + waitMs + 200],
          ] as const) {
            const headers = schedule(atMs, subjects.due(address(id)));
            await log.append(subjects.later("-", id), text(id), { headers });
          }
          const purged = await log.purge({ filter: subjects.filters.laterById(cancelled) });
          await vi.waitFor(async () => expect(await due(kept)).not.toBeNull(), SOON);
          expect((await due(cancelled)) === null).toBe(purged === 1);
          if (purged === 1) break;
        }
      });

      test("a second schedule under one subject replaces the first, unless the first was expected absent", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("later");
        const subject = subjects.later("-", "a");
        const at = (dueMs: number) => ({ headers: schedule(dueMs, subjects.due(address("a"))) });
        await log.append(subject, text("first"), at(Date.now() + 60_000));
        const guarded = log.append(subject, text("x"), { ...at(Date.now()), expectedLastSubjectSeq: 0 });
        await expect(guarded).rejects.toThrow(withCode("conflict"));
        await log.append(subject, text("second"), at(Date.now() + 100));
        await vi.waitFor(
          async () =>
            expect(read((await log.last(subjects.filters.dueById("a"), { fresh: true }))!)).toBe("second"),
          SOON,
        );
        expect(await log.last(subject, { fresh: true })).toBeNull();
      });

      test("a schedule that cannot be read, or with a target elsewhere, is refused", async () => {
        const { transport, subjects } = await setup();
        const log = transport.log("later");
        const subject = subjects.later("-", "a");
        const target = subjects.due(address("a"));
        const invalid = withCode("invalid_input");
        const bad = { [HEADERS.schedule]: "soon", [HEADERS.scheduleTarget]: target };
        await expect(log.append(subject, text(""), { headers: bad })).rejects.toThrow(invalid);
        const elsewhere = schedule(Date.now() + 60_000, subjects.task(address("a")));
        await expect(log.append(subject, text(""), { headers: elsewhere })).rejects.toThrow(invalid);
        expect(await log.info()).toMatchObject({ messages: 0 });
      });
    });

    describe("bucket", () => {
      test("a value is read back with its rising revision; an absent or deleted key is null", async () => {
        const { transport } = await setup();
        const bucket = transport.bucket("limits");
        expect(await bucket.get("a.b")).toBeNull();
        const first = await bucket.put("a.b", text("1"));
        const second = await bucket.put("a.b", text("2"));
        expect(second).toBeGreaterThan(first);
        const entry = await bucket.get("a.b");
        expect(entry).toMatchObject({ key: "a.b", revision: second });
        expect(new TextDecoder().decode(entry?.value)).toBe("2");
        await bucket.delete("a.b");
        expect(await bucket.get("a.b")).toBeNull();
        await bucket.delete("never-there");
      });

      test("keys lists exactly the keys with a value", async () => {
        const { transport } = await setup();
        const bucket = transport.bucket("cancelled");
        expect(await bucket.keys()).toEqual([]);
        for (const key of ["one", "two.three", "gone"]) await bucket.put(key, text(key));
        await bucket.delete("gone");
        expect((await bucket.keys()).sort()).toEqual(["one", "two.three"]);
      });

      test("an update is written only over the expected revision; 0 expects no value", async () => {
        const { transport } = await setup();
        const bucket = transport.bucket("limits");
        const conflict = withCode("conflict");
        const first = await bucket.update("k", text("1"), 0);
        await expect(bucket.update("k", text("x"), 0)).rejects.toThrow(conflict);
        await expect(bucket.update("k", text("x"), first + 1)).rejects.toThrow(conflict);
        const second = await bucket.update("k", text("2"), first);
        await expect(bucket.update("k", text("x"), first)).rejects.toThrow(conflict);
        await bucket.delete("k");
        await expect(bucket.update("k", text("x"), second)).rejects.toThrow(conflict);
        await bucket.update("k", text("3"), 0);
        expect(new TextDecoder().decode((await bucket.get("k"))?.value)).toBe("3");
      });

      test("concurrent increments with compare-and-set lose no step", async () => {
        const { transport } = await setup();
        const bucket = transport.bucket("limits");
        await bucket.put("count", text("0"));
        const increment = async (): Promise<void> => {
          const entry = (await bucket.get("count"))!;
          const next = text(String(Number(new TextDecoder().decode(entry.value)) + 1));
          try {
            await bucket.update("count", next, entry.revision);
          } catch (error) {
            expect(error).toMatchObject({ code: "conflict" });
            return increment();
          }
        };
        await Promise.all(Array.from({ length: 15 }, increment));
        expect(new TextDecoder().decode((await bucket.get("count"))?.value)).toBe("15");
      });

      test("a watcher gets the stored keys, then every change by any connection, until it is closed", async () => {
        const { transport, prefix } = await setup();
        const other = await setup({ prefix });
        const bucket = transport.bucket("limits");
        await bucket.put("a", text("1"));
        await bucket.put("b", text("2"));
        const seen: [string, string | null][] = [];
        const watch = await bucket.watch((key, value) =>
          seen.push([key, value === null ? null : new TextDecoder().decode(value)]),
        );
        expect(seen.sort()).toEqual([
          ["a", "1"],
          ["b", "2"],
        ]);
        seen.length = 0;
        await other.transport.bucket("limits").put("a", text("3"));
        await expect(bucket.update("a", text("refused"), 0)).rejects.toThrow(withCode("conflict"));
        await bucket.delete("b");
        await vi.waitFor(
          () =>
            expect(seen).toEqual([
              ["a", "3"],
              ["b", null],
            ]),
          SOON,
        );
        watch.close();
        const control = await bucket.watch((key) => key === "c" && seen.push(["control", key]));
        await bucket.put("c", text("4"));
        await vi.waitFor(() => expect(seen.at(-1)).toEqual(["control", "c"]), SOON);
        expect(seen).toHaveLength(3);
        control.close();
      });

      test("watching an empty bucket resolves at once", async () => {
        const { transport } = await setup();
        const seen: string[] = [];
        const watch = await transport.bucket("cancelled").watch((key) => seen.push(key));
        await transport.bucket("cancelled").put("first", text(""));
        await vi.waitFor(() => expect(seen).toEqual(["first"]), SOON);
        watch.close();
      });

      test.each(["", ".", "a.", "a..b", "a b", "*", ">", "a.*", "ü", "\0", "x".repeat(65)])(
        "the key %j is rejected",
        async (key) => {
          const { transport } = await setup({ init: false });
          const bucket = transport.bucket("limits");
          await expect((async () => bucket.put(key, text("")))()).rejects.toThrow(withCode("invalid_input"));
          await expect((async () => bucket.get(key))()).rejects.toMatchObject({ field: "key" });
        },
      );
    });

    describe("blobs", () => {
      test.each([0, 1, INLINE_LIMIT_BYTES + 1, 3_000_000])(
        "a body of %i bytes is stored once, by its hash",
        async (bytes) => {
          const { transport } = await setup();
          const body = randomBytes(bytes);
          const ref = await transport.blobs.put(body);
          expect(ref).toEqual({ $blob: expect.stringMatching(/^[0-9a-f]{64}$/), bytes });
          expect(await transport.blobs.put(body)).toEqual(ref);
          expect(Buffer.compare(await transport.blobs.get(ref), body)).toBe(0);
        },
      );

      test("the largest blob passes; one byte more is rejected", async () => {
        const { transport } = await setup();
        const body = Buffer.alloc(BLOB_LIMIT_BYTES + 1, "murmur");
        await expect(transport.blobs.put(body)).rejects.toThrow(withCode("payload_too_large"));
        const largest = body.subarray(0, BLOB_LIMIT_BYTES);
        const ref = await transport.blobs.put(largest);
        expect(Buffer.compare(await transport.blobs.get(ref), largest)).toBe(0);
      });

      test("an unknown blob is not_found; a reference with a wrong length is invalid_input", async () => {
        const { transport } = await setup();
        const unknown = transport.blobs.get({ $blob: "0".repeat(64), bytes: 1 });
        await expect(unknown).rejects.toThrow(withCode("not_found"));
        const ref = await transport.blobs.put(text("body"));
        await expect(transport.blobs.get({ ...ref, bytes: 5 })).rejects.toThrow(withCode("invalid_input"));
      });

      test("a young blob is not renewed, and an unknown blob is missing", async () => {
        const { transport } = await setup();
        const ref = await transport.blobs.put(text("body"));
        expect(await transport.blobs.renew(ref)).toBe("fresh");
        expect(await transport.blobs.renew({ ...ref, $blob: "0".repeat(64) })).toBe("missing");
      });

      test("several concurrent writers of the same blob all succeed", async () => {
        const { transport } = await setup();
        const body = randomBytes(1_500_000);
        const refs = await Promise.all(Array.from({ length: 4 }, () => transport.blobs.put(body)));
        expect(new Set(refs.map(({ $blob }) => $blob)).size).toBe(1);
        expect(Buffer.compare(await transport.blobs.get(refs[0]!), body)).toBe(0);
      });
    });

    describe("objects", () => {
      test.each([0, 1, 3_000_000])("a body of %i bytes is read back by its name", async (bytes) => {
        const { transport } = await setup();
        const body = randomBytes(bytes);
        await transport.snapshots.put("a.b 1", body);
        expect(Buffer.compare((await transport.snapshots.get("a.b 1"))!, body)).toBe(0);
      });

      test("a second body replaces the first; an absent or deleted object is null and not listed", async () => {
        const { snapshots } = (await setup()).transport;
        await snapshots.put("a", text("one"));
        await snapshots.put("b", text("two"));
        await snapshots.put("a", text("three"));
        expect(new TextDecoder().decode((await snapshots.get("a"))!)).toBe("three");
        expect((await snapshots.names()).sort()).toEqual(["a", "b"]);
        await snapshots.delete("a");
        await snapshots.delete("a");
        expect(await snapshots.get("a")).toBeNull();
        expect(await snapshots.get("c")).toBeNull();
        expect(await snapshots.names()).toEqual(["b"]);
      });

      test("before init every call is unavailable", async () => {
        const { snapshots } = (await setup({ init: false })).transport;
        const unavailable = withCode("unavailable");
        await expect(snapshots.put("a", text("a"))).rejects.toThrow(unavailable);
        await expect(snapshots.get("a")).rejects.toThrow(unavailable);
        await expect(snapshots.names()).rejects.toThrow(unavailable);
        await expect(snapshots.delete("a")).rejects.toThrow(unavailable);
      });
    });

    describe("clock", () => {
      test("the clock measures the server's time, and is this machine's clock where both agree", async () => {
        const { transport } = await setup();
        expect(transport.clock.skewMs).toBeNull();
        await transport.clock.sync();
        expect(Math.abs(transport.clock.skewMs ?? Number.NaN)).toBeLessThan(500);
        expect(Math.abs(transport.clock.now() - Date.now())).toBeLessThan(500);
      });

      test("without the streams the time is unknown, and the clock is this machine's", async () => {
        const { transport } = await setup({ init: false });
        await transport.clock.sync();
        expect(Math.abs(transport.clock.now() - Date.now())).toBeLessThan(500);
      });
    });

    describe("swarm", () => {
      test("init creates all streams once and verifies them the next time", async () => {
        const { transport } = await setup({ init: false });
        const first = await transport.init();
        expect(first.verified).toEqual([]);
        expect(first.created.length).toBeGreaterThan(5);
        expect(await transport.init()).toEqual({
          created: [],
          applied: [],
          verified: first.created,
          differences: [],
          warnings: [],
        });
      });

      test("inspect reports missing streams and changes nothing", async () => {
        const { transport } = await setup({ init: false });
        const before = await transport.inspect();
        expect(before.every(({ problem }) => problem?.includes("murmur init") === true)).toBe(true);
        const { created } = await transport.init();
        expect(await transport.inspect()).toEqual(
          created.map((name) => expect.objectContaining({ name, exists: true, problem: null, advice: [] })),
        );
      });

      test("each class has a stream of placed tasks with consumers of its own", async () => {
        const { transport, subjects } = await setup();
        await transport.init({ classes: ["gpu"] });
        expect(await transport.placedClasses()).toEqual(["default", "gpu"]);
        const at = { host: "h1", agent: "a1", scope: "-", taskId: "t1" };
        const log = transport.log("placed-gpu");
        await log.append(subjects.placed({ class: "gpu", ...at }), text("gpu"));
        await log.append(subjects.placed({ class: "default", ...at }), text("default"));
        expect(await log.info()).toMatchObject({ messages: 1 });
        const filter = subjects.filters.placedOnHost({ class: "gpu", host: "h1" });
        const spec = { name: "placed-h1", filter };
        const queue = transport.queue("placed-gpu");
        expect(await queue.existing(spec)).toBeNull();
        await queue.consumer(spec);
        expect(await transport.queue("placed-default").existing(spec)).toBeNull();
        const found = await queue.existing(spec);
        const { deliveries, ended } = pull(found!, { max: 2, expiresMs: 0 });
        await ended;
        expect(deliveries.map(read)).toEqual(["gpu"]);
        await expect(
          queue.existing({ ...spec, filter: subjects.filters.placedOnHost({ class: "gpu", host: "h2" }) }),
        ).rejects.toMatchObject({ code: "conflict", field: "filter" });
        const missing = subjects.placed({ class: "none", ...at });
        await expect(log.append(missing, text(""))).rejects.toThrow(withCode("unavailable"));
        await expect(transport.queue("placed-none").existing(spec)).rejects.toThrow(withCode("unavailable"));
      });

      test("several processes may run init at once", async () => {
        const one = await setup({ init: false });
        const other = await setup({ init: false, prefix: one.prefix });
        const outcomes = await Promise.all([one.transport.init(), other.transport.init()]);
        for (const { created, verified } of outcomes)
          expect(created.length + verified.length).toBe(
            outcomes[0].created.length + outcomes[0].verified.length,
          );
      });

      test("swarms with different prefixes do not see each other", async () => {
        const [one, other] = [await setup(), await setup()];
        const received: string[] = [];
        other.bus.subscribe(other.subjects.filters.allDone, (message) => received.push(message.subject));
        await other.bus.flush();
        await one.transport.log("results").append(one.subjects.result("echo", "-", "a"), text("a"));
        await one.transport.bucket("limits").put("k", text("1"));
        const ref = await one.transport.blobs.put(text("blob"));
        expect(await other.transport.log("results").info()).toMatchObject({ messages: 0 });
        expect(await other.transport.bucket("limits").get("k")).toBeNull();
        await expect(other.transport.blobs.get(ref)).rejects.toThrow(withCode("not_found"));
        expect(received).toEqual([]);
      });

      test("a closed transport reports its state once, and every later call is unavailable", async () => {
        const { transport, prefix, bus } = await setup();
        const states: string[] = [];
        expect(transport.state).toBe("connected");
        transport.onState((state) => states.push(state));
        await Promise.all([transport.close(), transport.close()]);
        await transport.close();
        expect([transport.state, states]).toEqual(["closed", ["closed"]]);
        const unavailable = withCode("unavailable");
        expect(() => bus.publish(`${prefix}.x`, text(""))).toThrow(unavailable);
        expect(() => bus.subscribe(`${prefix}.x`, () => undefined)).toThrow(unavailable);
        await expect(bus.flush()).rejects.toThrow(unavailable);
        await expect(transport.init()).rejects.toThrow(unavailable);
        await expect(bus.request(`${prefix}.x`, text(""), { timeoutMs: 1_000 })).rejects.toThrow(unavailable);
        await expect(transport.log("results").info()).rejects.toThrow(unavailable);
      });

      test("a message that was published before close still arrives", async () => {
        const one = await setup({ init: false });
        const other = await setup({ init: false, prefix: one.prefix });
        const received: string[] = [];
        other.bus.subscribe(`${one.prefix}.last`, (message) => received.push(read(message)));
        await other.bus.flush();
        one.bus.publish(`${one.prefix}.last`, text("words"));
        await one.transport.close();
        await vi.waitFor(() => expect(received).toEqual(["words"]), SOON);
      });

      test("an open pull ends as lost when its connection closes", async () => {
        const { transport } = await setup();
        const { ended } = pull(await taskConsumer(transport, "echo"), { max: 1, expiresMs: 50_000 });
        await transport.close();
        expect(await ended).toBe("lost");
      });
    });
  });
}

/** A matcher for `toThrow`: a SwarmError with this code. */
function withCode(code: SwarmError["code"]): object {
  return expect.objectContaining({ code, message: expect.any(String) });
}

function address(taskId: string) {
  return { capability: "echo", priority: "normal", scope: "-", taskId } as const;
}

function schedule(dueMs: number, target: string): Record<string, string> {
  return { [HEADERS.schedule]: `@at ${new Date(dueMs).toISOString()}`, [HEADERS.scheduleTarget]: target };
}

function taskConsumer(transport: Transport, capability: string): Promise<QueueConsumer> {
  const filter = createSubjects(transport.prefix).filters.tasks(capability, "normal");
  return transport.queue("tasks").consumer({ name: `${capability}-normal`, filter });
}

/** Opens a pull and collects its deliveries. */
function pull(consumer: QueueConsumer, request: { max: number; expiresMs: number }) {
  const deliveries: Delivery[] = [];
  const givenBack: number[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<PullEnd>();
  const handle = consumer.pull(request, {
    onDelivery: (delivery) => deliveries.push(delivery),
    onEnd: resolve,
    onNak: ({ deliveryCount }) => givenBack.push(deliveryCount),
  });
  return { deliveries, givenBack, ended, handle };
}

async function all(messages: AsyncIterable<Stored>): Promise<Stored[]> {
  const found: Stored[] = [];
  for await (const message of messages) found.push(message);
  return found;
}
