// The audit log as an operator meets it: the evidence against a liar after the coordinator that noticed it was killed, the
// operations of people, and a forged entry from outside.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createHost, defineAgent, type VotePort } from "../../../src/agent/index.ts";
import { createVotes } from "../../../src/app/processes/votes.ts";
import { listAudit, verifyAudit } from "../../../src/audit/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { hashValue, signVote, voteKeyOf } from "../../../src/consensus/index.ts";
import {
  createSubjects,
  type Json,
  type SeatQuestion,
  type SignedVote,
} from "../../../src/protocol/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import { resultOf, store } from "../../coordinator/ballots/swarm.ts";
import { SOON, setupOffice } from "../../coordinator/support.ts";
import { createCoordinator } from "../../support/office/process.ts";
import { setupWorld, type World } from "../support.ts";

interface Listed {
  entries: { writer: string; seq: number; kind: string; facts: Record<string, unknown>; streamSeq: number }[];
}

/** A coordinator process and the program, on one server. */
async function setup() {
  const swarm = await setupOffice({ nats: true });
  const directory = mkdtempSync(join(tmpdir(), "murmur-audit-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const server = swarm.server!.url;
  const coordinator = createCoordinator({
    id: "c1",
    members: ["c1"],
    server,
    logFile: join(directory, "c1.log"),
  });
  onTestFinished(() => coordinator.kill());
  coordinator.start();
  await swarm.client.tenure({ timeoutMs: SOON.timeout });
  let world: World | undefined;
  const run = (args: string) => {
    world ??= setupWorld({ MURMUR_SERVER: server });
    return world.call(args);
  };
  return {
    ...swarm,
    coordinator,
    list: async (args: string) =>
      ((await run(`audit ls --json ${args}`)).json() as unknown as Listed).entries,
    async verify() {
      const ran = await run("audit verify --json");
      return { exitCode: ran.exitCode, ...ran.json() } as unknown as {
        exitCode: number;
        intact: boolean;
        faults: { fault: string; writer: string; seq: number | null; streamSeq: number }[];
      };
    },
  };
}

/** A key that signs the first value honestly, and afterwards every value that the test gives it. */
function createLiar() {
  const { privateKey, publicKey } = voteKeyOf(new Uint8Array(32).fill(7));
  const asked = Promise.withResolvers<{ taskId: string; ballot: string; sign(value: Json): SignedVote }>();
  const votes: VotePort = {
    createKey: () => ({
      publicKey,
      sign({ ballot, round, nonce, seat }: SeatQuestion) {
        if (nonce === undefined) return undefined;
        const sign = (value: Json) =>
          signVote({ ballot, round, nonce, seat, hash: hashValue(value) }, privateKey);
        asked.resolve({ taskId: `${ballot}-r1s${seat}`, ballot, sign });
        return sign("cat");
      },
    }),
  };
  return { votes, asked: asked.promise };
}

test("the votes of an equivocator stay in the audit log when the coordinator that noticed it is killed", {
  timeout: 240_000,
}, async () => {
  const { connect, client, transport, coordinator, list, verify } = await setup();
  const never = new Promise<string>(() => undefined);
  const host = async (names: readonly string[], votes: VotePort, say: () => unknown) => {
    const own = { transport: await connect(), meter: createMeter(), log: silentLogger, hostId: names[0]! };
    const roles = names.map((name) => ({
      definition: defineAgent({ name, capabilities: ["classify"], run: say }),
    }));
    const made = createHost({ ...own, role: "test", version: "1.0.0", roles, votes });
    const worker = createWorker({ ...own, workforce: made.workforce, capabilities: made.capabilities });
    await made.service.start();
    await worker.start();
    onTestFinished(async () => {
      await worker.stop();
      await made.service.stop();
    });
  };
  const liar = createLiar();
  await host(["a", "b", "c"], createVotes(), () => never);
  await host(["liar"], liar.votes, () => "cat");
  const readAgents = async () => (await client.read("agents")).agents as { id: string; role: string }[];
  await expect.poll(async () => (await readAgents()).length, SOON).toBe(4);
  const agent = (await readAgents()).find(({ role }) => role === "liar")!.id;

  const { bus } = transport;
  const evidence = Promise.withResolvers<void>();
  const tap = bus.subscribe("murmur.event.ballot.*.evidence", () => evidence.resolve());
  onTestFinished(() => tap.close());
  await bus.flush();
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => tasks.close());
  await tasks.submit({ id: "b1", capability: "classify", ballot: { seats: 4, strategy: "bft" } });
  const { taskId, sign } = await liar.asked;
  const answered = async () => (await client.read("ballot", { id: "b1" })).answered;
  await expect.poll(answered, SOON).toBe(1);
  const second = { ...resultOf(taskId, agent, "dog"), vote: sign("dog") };
  const subjects = createSubjects("murmur");
  expect(await store(transport, subjects.result("classify", "b1", taskId), second)).toBe(false);
  await evidence.promise;
  await coordinator.kill();

  const refused = await list("--kind vote-refused --since 1h");
  expect(refused).toMatchObject([
    {
      writer: expect.stringMatching(/^coordinator\.coordinator-/),
      facts: { ballot: "b1", capability: "classify", evidence: { kind: "double", agent, round: 1 } },
    },
  ]);
  const { votes } = refused[0]!.facts.evidence as { votes: SignedVote[] };
  expect(votes).toEqual([sign("cat"), sign("dog")]);
  expect(await verify()).toMatchObject({ exitCode: 0, intact: true });

  // A forger appends an entry to the chain of the dead process.
  const writer = refused[0]!.writer;
  const subject = `murmur.audit.${writer}`;
  const stored = (await transport.log("audit").get(refused[0]!.streamSeq))!;
  const forged = new TextDecoder().decode(stored.data).replace("double", "forged");
  const { seq } = await transport.log("audit").append(subject, new TextEncoder().encode(forged));
  const broken = await verify();
  expect(broken).toMatchObject({ exitCode: 1, intact: false });
  expect(broken.faults).toMatchObject([{ fault: "changed", writer, seq: refused[0]!.seq, streamSeq: seq }]);
});

test("a coordinator that stops in order has noted the holder of the office, the changes by people, and its own end", {
  timeout: 120_000,
}, async () => {
  const { coordinator, client, transport } = await setup();
  const value = { name: "review.model", value: "secret-value", by: "somebody" };
  await client.write("config-set", value, { timeoutMs: SOON.timeout });
  expect(await coordinator.stop()).toBe(0);
  const entries = await listAudit(transport, { limit: 100, role: "coordinator" });
  const kinds = entries.map(({ kind }) => kind);
  expect(kinds.slice(0, 2)).toEqual(["writer-started", "office-taken"]);
  expect(kinds.slice(-2)).toEqual(["office-left", "writer-ended"]);
  const operations = entries.filter(({ kind }) => kind === "office-command");
  expect(operations.map(({ facts }) => facts)).toEqual([
    {
      command: "config-set",
      name: "review.model",
      by: "somebody",
      outcome: "done",
    },
  ]);
  const { faultCount, writers } = await verifyAudit(transport);
  expect(faultCount).toBe(0);
  expect([...writers.values()]).toMatchObject([{ entries: entries.length, isEnded: true }]);
});
