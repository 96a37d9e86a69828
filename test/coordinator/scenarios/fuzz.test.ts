// Random messages that a coordinator must not act on, through the real subjects of a coordinator that holds the office.
// Deterministic: chance comes from a seed. The test sends the messages of the two other members.
import { expect, onTestFinished, test, vi } from "vitest";
import { type Chance, integerBetween, seededChance } from "../../../src/base/index.ts";
import { MESSAGE_VERSION, type Message } from "../../../src/consensus/internal.ts";
import { createSubjects, decode, encode, errorReplySchema, HEADERS } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { SOON, setupOffice } from "../support.ts";

const CASES = scaled(1_500, 50_000);
/** Messages in a row before other work gets its turn: the coordinator must not take this for a pause. */
const BATCH = 50;
const three = ["c1", "c2", "c3"];
const subjects = createSubjects("murmur");
const breathe = () => new Promise(setImmediate);
const text = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

function pick<T>(chance: Chance, values: readonly T[]): T {
  return values[integerBetween(chance, 0, values.length - 1)]!;
}

function randomBytes(chance: Chance, max: number): Uint8Array {
  return Uint8Array.from({ length: integerBetween(chance, 1, max) }, () => integerBetween(chance, 0, 255));
}

/** A coordinator in office; the test answers for its fellow members, if there are any. */
async function setup(members: readonly string[]) {
  const swarm = await setupOffice();
  const voices = await swarm.connect();
  for (const id of ["c2", "c3"]) {
    voices.bus.subscribe(subjects.filters.electionTo(id), ({ data }) => {
      const message = decode(data).value as Message;
      const head = { v: MESSAGE_VERSION, swarm: message.swarm, term: message.term };
      const say = (reply: object) =>
        voices.bus.publish(subjects.election("c1", id), encode({ ...head, ...reply }));
      if (message.type === "pre-vote") say({ type: "pre-vote-reply", granted: true });
      if (message.type === "vote") say({ type: "vote-reply", granted: true });
      if (message.type === "heartbeat") say({ type: "heartbeat-reply", seq: 0 });
    });
  }
  const { office } = await swarm.start("c1", members);
  await vi.waitFor(() => expect(office.tenure).not.toBeNull(), SOON);
  await swarm.client.write("config-set", { name: "a", value: 1 });
  const enemy = await swarm.connect();
  onTestFinished(() => enemy.close());
  return { ...swarm, office, enemy };
}

/** Everything that a message could change. */
function factsOf({ office }: Awaited<ReturnType<typeof setup>>) {
  const { term, leader, appliedSeq, stateHash, role } = office.status();
  return { term, leader, appliedSeq, stateHash, role, tenure: office.tenure };
}

/** A message that no member may act on, and its sender. */
function badElectionMessage(
  chance: Chance,
  own: { swarm: string; term: number },
): { from: string; data: Uint8Array } {
  const good = {
    v: MESSAGE_VERSION,
    swarm: own.swarm,
    term: own.term + integerBetween(chance, 0, 5),
    ...pick(chance, [
      { type: "pre-vote", lastTerm: 1, lastSeq: 9 },
      { type: "pre-vote-reply", granted: true },
      { type: "vote", lastTerm: 1, lastSeq: 9, transfer: true },
      { type: "vote-reply", granted: true },
      { type: "heartbeat" },
      { type: "heartbeat-reply", seq: 9 },
      { type: "timeout-now" },
    ]),
  };
  const from = pick(chance, ["c2", "c3"]);
  const terms = [-1, 1.5, "9", null, true, own.term + 1_000_001, Number.MAX_SAFE_INTEGER, 2 ** 60];
  const kinds: (() => { from?: string; data: Uint8Array })[] = [
    () => ({ from: pick(chance, ["c4", "C2", "c1", "-", "c22"]), data: text(good) }),
    () => ({ data: text({ ...good, swarm: pick(chance, ["", "other", `${own.swarm}x`, 7, null]) }) }),
    () => ({ data: text({ ...good, v: pick(chance, [0, 2, "1", null, 1e9]) }) }),
    () => ({ data: text({ ...good, term: pick(chance, terms) }) }),
    () => ({ data: text(JSON.stringify(good).replace(/"term":\d+/, '"term":1e400')) }),
    () => ({ data: text({ ...good, type: pick(chance, ["win", "", 1, null, "__proto__", "toString"]) }) }),
    () => ({ data: text(good).slice(0, -integerBetween(chance, 1, 40)) }),
    () => ({ data: randomBytes(chance, 200) }),
    () => ({ data: text(pick(chance, ["", "null", "[]", "7", '"vote"', "{}", "[".repeat(4_000)])) }),
    () => ({ data: text({ ...good, padding: "x".repeat(4_096) }) }),
    () => {
      const { type, v, swarm, term } = good; // without the fields of its type, or with wrong ones
      const wrong = { lastTerm: "1", lastSeq: -1, granted: 1, seq: 0.5, transfer: "yes" };
      const base = type === "heartbeat" || type === "timeout-now" ? "vote" : type;
      return { data: text({ v, swarm, term, type: base, ...(chance.next() < 0.5 ? wrong : {}) }) };
    },
  ];
  return { from, ...pick(chance, kinds)() };
}

// Repeated when the machine was paused for half a second, which deposes the holder of the office.
test(`${CASES} election messages that no member may act on are rejected and counted, and change nothing`, {
  retry: 2,
  timeout: 240_000,
}, async () => {
  const swarm = await setup(three);
  const { office, enemy, client } = swarm;
  const chance = seededChance(1);
  const { logId, term } = office.status();
  const before = factsOf(swarm);
  const refused = office.status().refusedMessages;
  for (let index = 0; index < CASES; index++) {
    const { from, data } = badElectionMessage(chance, { swarm: logId, term });
    enemy.bus.publish(subjects.election("c1", from), data);
    if (index % BATCH === 0) await breathe();
  }
  await vi.waitFor(() => expect(office.status().refusedMessages - refused).toBe(CASES), SOON);
  expect(factsOf(swarm)).toEqual(before);
  expect(await client.read("config")).toMatchObject({ values: [{ name: "a", value: 1 }] });
});

const COMMANDS = {
  "lock-acquire": { name: "l", owner: "o", ttlMs: 1_000, patienceMs: 0 },
  "lock-renew": { name: "l", owner: "o", token: 1, ttlMs: 1_000 },
  "lock-release": { name: "l", owner: "o", token: 1 },
  "config-set": { name: "a", value: 2 },
  "schedule-set": { id: "s", when: { everyMs: 1_000 }, task: { capability: "echo", input: 1 } },
  "schedule-remove": { id: "s" },
  "budget-set": { name: "b", limit: { tokens: 1 } },
  "budget-reserve": { name: "b", amount: { tokens: 1 }, ttlMs: 1_000 },
  "budget-settle": { reservation: 1, actual: { tokens: 1 } },
  "budget-release": { reservation: 1 },
} as const;

/** A request that the office must refuse. */
function badRequest(chance: Chance): { name: string; data: Uint8Array; type?: string } {
  const name = pick(chance, Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]);
  const good: Record<string, unknown> = { key: `k${chance.next()}`, ...COMMANDS[name] };
  const field = pick(chance, Object.keys(COMMANDS[name]));
  // None of these fits any of the fields above, except the value of a setting.
  const wrong = [null, "", "a b", "ü", -1, 0.5, 2 ** 60, [], "x".repeat(70), { deep: { er: 1 } }, true];
  const kinds: (() => { name?: string; data: Uint8Array; type?: string })[] = [
    () => ({
      data: text({
        ...good,
        [field === "value" || field === "actual" ? "name" : field]: pick(chance, wrong),
      }),
    }),
    () => ({ data: text({ ...good, [pick(chance, ["extra", "type", "nowMs", "nextMs", "__proto"])]: 1 }) }),
    () => ({ data: text({ ...good, key: pick(chance, ["", null, 7, "x".repeat(129), ["k"]]) }) }),
    () => ({ data: text({ ...good, key: undefined }) }),
    () => ({ data: text(good).slice(0, -integerBetween(chance, 1, 20)) }),
    () => ({ data: text(good), type: pick(chance, ["text/html", "application/msgpack", "x"]) }),
    () => ({ data: Uint8Array.from([0xc1, ...randomBytes(chance, 200)]) }), // 0xc1 begins nothing in MessagePack
    () => ({ data: randomBytes(chance, 100), type: "application/json" }),
    () => ({ data: text(`{"key":"k","a":${"[".repeat(100)}${"]".repeat(100)}}`) }),
    () => ({ data: text(`{"key":"k","__proto__":{"admin":true},"name":"a","value":3}`) }),
    () => ({ data: text(JSON.stringify(good).replace(/:\d+/, ":1e400")), name: "lock-acquire" }),
    () => ({ data: text(pick(chance, ["[]", "7", '"x"', "null", "true"])), type: "application/json" }),
    () => ({ name: pick(chance, ["drop", "Locks", "toString", "__proto__", "locks-"]), data: text(good) }),
    () => ({ name: pick(chance, ["locks", "schedules", "budgets", "config"]), data: text({ nobody: 1 }) }),
    () => ({ name: "transfer", data: text({ to: pick(chance, [1, "", "c1", "stranger", ["c2"]]) }) }),
    () => ({ data: text({ ...good, padding: "x".repeat(66_000) }) }),
  ];
  // Large ones are rare: they cost the test more than the office.
  const kind = chance.next() < 0.01 ? kinds.at(-1)! : kinds[integerBetween(chance, 0, kinds.length - 2)]!;
  return { name, ...kind() };
}

test(`${CASES} requests that the office must refuse are refused with a code, and change nothing`, {
  timeout: 240_000,
}, async () => {
  const swarm = await setup(["c1"]); // no other member deposes it, however loaded the machine is
  const { enemy, client } = swarm;
  const chance = seededChance(2);
  const before = factsOf(swarm);
  const codes = new Set<string>();
  const ask = async () => {
    const { name, data, type } = badRequest(chance);
    const reply = await enemy.bus.request(subjects.office(name), data, {
      timeoutMs: 60_000,
      headers: type === undefined ? {} : { [HEADERS.contentType]: type },
    });
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    const shown = `${name} ${new TextDecoder().decode(data.slice(0, 300))}`;
    const parsed = errorReplySchema.safeParse(value);
    if (!parsed.success) expect.unreachable(`accepted: ${shown}: ${JSON.stringify(value)}`);
    else if (parsed.data.error.code === "internal") expect.unreachable(`broke: ${shown}`);
    else codes.add(parsed.data.error.code);
  };
  for (let index = 0; index < CASES; index += BATCH) {
    await Promise.all(Array.from({ length: BATCH }, ask));
    await breathe();
  }
  expect([...codes].sort()).toEqual(["invalid_input", "not_found", "payload_too_large"]);
  expect(factsOf(swarm)).toEqual(before);
  expect(await client.write("config-set", { name: "a", value: 2 })).toMatchObject({ name: "a" });
});
