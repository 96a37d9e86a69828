// The front door on a real server, with operations made for the test: the talk with a caller, its bounds, and its ends.
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { MAX_RUNNING_OF_USER } from "../../../src/app/door/door.ts";
import { createOperateDoor } from "../../../src/app/door/index.ts";
import { getBlob, putBlob } from "../../../src/app/operations/blobs.ts";
import {
  defineOperation,
  NOT_AUDITED,
  type Operation,
  type RefusedOperation,
} from "../../../src/app/operations/operation.ts";
import type { UserRights } from "../../../src/app/permissions/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import {
  type AuditNote,
  createSubjects,
  decode,
  encode,
  HEADERS,
  OPERATE_WINDOW,
  SwarmError,
} from "../../../src/protocol/index.ts";
import { connectNats, type Incoming, type Transport } from "../../../src/transport/index.ts";
import { createDoorCaller, createTaskClient } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { scaled } from "../../support/scale.ts";

const SOON = { timeout: 60_000, interval: 10 };
const subjects = createSubjects("murmur");

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
  const first = await connect();
  await first.init();
  await first.close();
});
afterAll(() => server?.stop());

function connect(): Promise<Transport> {
  const parts = { log: silentLogger, meter: createMeter() };
  return connectNats({ ...parts, servers: server.url, name: "test", prefix: "murmur" });
}

const RIGHTS: Readonly<Record<string, UserRights>> = {
  anna: { user: "anna", role: "operator/anna", access: "operate", capabilities: null },
  ben: { user: "ben", role: "operator/ben", access: "read", capabilities: null },
};

/** A door with one operation, in a connection of its own, and a caller in another one. */
async function setup(run: Operation["run"], own: Partial<Operation> = {}) {
  const [transport, other] = await Promise.all([connect(), connect()]);
  const tasks = createTaskClient({ transport, meter: createMeter() });
  const notes: AuditNote[] = [];
  const refused: RefusedOperation[] = [];
  const operation = {
    ...defineOperation({
      name: "thing-do",
      summary: "do a thing",
      input: z.strictObject({ text: z.string().default("none") }),
      output: z.looseObject({}),
      event: z.looseObject({}),
      errors: [],
      access: "operate",
      run: run as never,
    }),
    ...own,
  } as unknown as Operation;
  const door = createOperateDoor({
    ...{
      transport,
      tasks,
      operations: [operation, putBlob, getBlob] as unknown as Operation[],
      log: silentLogger,
      meter: createMeter(),
    },
    rightsOf: (user) => RIGHTS[user] ?? null,
    auditor: async (note) => {
      notes.push(note);
      return true;
    },
    onRefused: (refusal) => refused.push(refusal),
  });
  await door.start();
  onTestFinished(async () => {
    await door.stop();
    tasks.close();
    await Promise.all([transport.close(), other.close()]);
  });
  return {
    door,
    transport,
    other,
    notes,
    refused,
    anna: createDoorCaller({ transport: other, user: "anna" }),
  };
}

test("a call gets its events and its output, and the audit log gets the proven user", async () => {
  const { anna, notes } = await setup(async function* (context, input) {
    yield { step: 1 };
    yield { step: 2 };
    return {
      ...(input as object),
      by: context.caller.name,
      bytes: new Uint8Array([1]),
      audited: NOT_AUDITED,
    };
  });
  const events: unknown[] = [];
  const onEvent = (event: unknown) => events.push(event);
  const { bytes, ...rest } = (await anna.call("thing-do", { text: "hi" }, { onEvent })) as {
    bytes: Uint8Array;
  };
  expect(rest).toEqual({ text: "hi", by: "anna", audited: true });
  expect([...bytes]).toEqual([1]);
  expect(events).toEqual([{ step: 1 }, { step: 2 }]);
  const facts = { command: "thing-do", outcome: "done", text: "hi", by: "anna", isProven: true };
  expect(notes).toEqual([{ kind: "operation", facts }]);
});

test("a plain request of any client gets exactly one reply: the output, or an error with a status", async () => {
  const { other, notes } = await setup(async (_context, input) => {
    if ((input as { text: string }).text === "fail") throw new SwarmError("conflict", "told to fail");
    return { ok: true };
  });
  const ask = async (subject: string, body: Uint8Array) => {
    const replies: Incoming[] = [];
    const talk = other.bus.converse(subject, body, {
      onReply: (reply) => replies.push(reply),
      onLost: () => undefined,
    });
    await vi.waitFor(() => expect(replies).toHaveLength(1), SOON);
    await other.bus.flush();
    talk.close();
    expect(replies).toHaveLength(1);
    const [reply] = replies;
    return [reply!.header(HEADERS.serviceErrorCode), decode(reply!.data).value];
  };
  expect(await ask(subjects.operate("anna", "thing-do"), new Uint8Array())).toEqual([
    undefined,
    { ok: true },
  ]);
  expect(await ask(subjects.operate("anna", "thing-do"), encode({ text: "fail" }))).toEqual([
    "409",
    { error: { code: "conflict", message: "told to fail" } },
  ]);
  expect(notes.map(({ facts }) => (facts as { outcome: string }).outcome)).toEqual(["done", "conflict"]);
  const wrong = { error: expect.objectContaining({ code: "invalid_input", field: "text" }) };
  expect(await ask(subjects.operate("anna", "thing-do"), encode({ text: 1 }))).toEqual(["400", wrong]);
  const unknown = {
    error: expect.objectContaining({ message: expect.stringContaining("did you mean thing-do") }),
  };
  expect(await ask(subjects.operate("anna", "thing-di"), encode({}))).toEqual(["404", unknown]);
});

test("a user without the access, and a name that is no user, are refused before anything runs", async () => {
  const run = vi.fn(async () => ({}));
  const { other, refused, notes } = await setup(run);
  for (const user of ["ben", "nobody"]) {
    const caller = createDoorCaller({ transport: other, user });
    await expect(caller.call("thing-do", {})).rejects.toMatchObject({ code: "not_permitted" });
  }
  expect(run).not.toHaveBeenCalled();
  expect(refused).toMatchObject([
    {
      by: "ben",
      command: "thing-do",
      isProven: true,
      reason: expect.stringContaining("needs the access operate"),
    },
    { by: "nobody", reason: expect.stringContaining("permissions.yaml") },
  ]);
  expect(notes).toEqual([]);
});

test("inputs and outputs above the payload limit of the server travel in pieces", async () => {
  const { anna, other } = await setup(async (_context, input) => input as object);
  const text = "x".repeat(1_500_000);
  expect(await anna.call("thing-do", { text })).toEqual({ text });
  const blob = await anna.blobs.put(encode({ text }));
  expect(decode(await anna.blobs.get(blob)).value).toEqual({ text });
  // One reply takes no pieces, so a plain request learns of the header.
  const headers = { [HEADERS.body]: "pieces", [HEADERS.contentType]: "application/json" };
  const subject = subjects.operate("anna", "thing-do");
  const { data } = await other.bus.request(subject, encode([blob]), { headers, timeoutMs: 60_000 });
  expect(decode(data).value).toMatchObject({
    error: { code: "payload_too_large", message: expect.stringContaining("Murmur-Request") },
  });
});

test("an operation waits for a slow caller with a full window, and ends when its caller stops or is gone", async () => {
  let sent = 0;
  const ended = vi.fn();
  const { other, anna } = await setup(async function* () {
    try {
      for (;;) {
        yield { step: sent };
        sent++;
      }
    } finally {
      ended();
    }
  });
  // A caller that reads and never confirms.
  const silent = await connect();
  const headers = { [HEADERS.request]: "r-1" };
  const options = { headers, onReply: () => undefined, onLost: () => undefined };
  silent.bus.converse(subjects.operate("anna", "thing-do"), new Uint8Array(), options);
  await vi.waitFor(() => expect(sent).toBe(OPERATE_WINDOW), SOON);
  // A second request with the id is refused; a receipt of another user does not count.
  const [again] = await other.bus.scatter(subjects.operate("anna", "thing-do"), encode({}), {
    ...{ headers, timeoutMs: 60_000, max: 1 },
  });
  expect(decode(again!.data).value).toMatchObject({ error: { code: "conflict" } });
  other.bus.publish(subjects.operateReceipt("ben", "r-1"), encode({ read: 4 }));
  other.bus.publish(subjects.operateReceipt("anna", "r-1"), encode({ read: "x" }));
  await other.bus.flush();
  expect(sent).toBe(OPERATE_WINDOW);
  other.bus.publish(subjects.operateReceipt("anna", "r-1"), encode({ read: 4 }));
  await vi.waitFor(() => expect(sent).toBe(OPERATE_WINDOW + 4), SOON);
  await silent.close();
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(1), SOON);

  const controller = new AbortController();
  let read = 0;
  const onEvent = () => {
    if (++read === 100) controller.abort(new Error("enough"));
  };
  await expect(anna.call("thing-do", {}, { onEvent, signal: controller.signal })).rejects.toThrow("enough");
  await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(2), SOON);
});

test("a user has a bounded number of operations, and all of them are answered when the process stops", async () => {
  const { anna, door } = await setup(() => new Promise(() => undefined));
  const calls = Array.from({ length: MAX_RUNNING_OF_USER + 1 }, () =>
    anna.call("thing-do", {}).catch((error) => error),
  );
  expect(await Promise.race(calls)).toMatchObject({ code: "rate_limited", retryAfterMs: 1_000 });
  await door.stop();
  const codes = (await Promise.all(calls)).map((error) => (error as SwarmError).code);
  expect(codes.filter((code) => code === "unavailable")).toHaveLength(MAX_RUNNING_OF_USER);
  await expect(anna.call("thing-do", {})).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("no api process answers murmur.operate.anna.thing-do"),
  });
});

test("no fuzzed body, header or subject crashes the door or stays without an answer", async () => {
  const { other, anna } = await setup(async (_context, input) => input as object);
  let seed = 7;
  const next = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  const token = () => ["anna", "ben", "x".repeat(64), "thing-do", "blob-get", "a_b-1"][next(6)]!;
  const values = [
    "",
    "pieces",
    "1",
    "-1",
    "NaN",
    "application/json",
    "application/msgpack",
    "text/html",
    "\u0000",
    "é",
  ];
  const names = [
    HEADERS.contentType,
    HEADERS.accept,
    HEADERS.request,
    HEADERS.timeout,
    HEADERS.body,
    HEADERS.traceparent,
  ];
  const answers = Array.from({ length: scaled(1_000, 10_000) }, (_, index) => {
    const bytes = Uint8Array.from({ length: next(40) }, () => next(256));
    const json = encode(
      [{}, [], null, { text: "a" }, { __proto__x: 1 }, [{ $blob: "0".repeat(64), bytes: next(9) }]][next(6)],
    );
    const headers = Object.fromEntries(
      names
        .filter(() => next(3) === 0)
        .map((name) => [name, name === HEADERS.request ? `r${index}` : values[next(10)]!]),
    );
    const subject = `murmur.operate.${token()}.${token()}`;
    return other.bus.request(subject, next(2) === 0 ? bytes : json, { timeoutMs: 60_000, headers });
  });
  const replies = await Promise.all(answers);
  expect(replies).toHaveLength(answers.length);
  expect(replies.filter((reply) => reply.header(HEADERS.serviceErrorCode) === "500")).toEqual([]);
  expect(await anna.call("thing-do", {})).toEqual({ text: "none" });
});
