import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import type { RecordView } from "../../../src/coordinator/index.ts";
import { Registrar } from "../../../src/coordinator/registry/registrar.ts";
import { SILENCE_MS } from "../../../src/coordinator/registry/sightings.ts";
import { type AgentStatus, createSubjects, encode } from "../../../src/protocol/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { makeStatus, SOON, setupOffice } from "../support.ts";

const subjects = createSubjects("murmur");
const heartbeatOf = (host: string, of = "default") => subjects.heartbeat({ class: of, host });

/** An agent process as the bus sees it. */
function fakeHost(transport: Transport, host: string, ids: string[], fields: Partial<AgentStatus> = {}) {
  const of = fields.class ?? "default";
  const agents = ids.map((id) => makeStatus({ id, host, ...fields }));
  const beat = (more: object = {}, news: Partial<AgentStatus> = {}) =>
    transport.bus.publish(
      subjects.heartbeat({ class: of, host }),
      encode({
        host,
        pid: 1,
        role: "echo",
        at: new Date().toISOString(),
        agents: agents.map((agent) => ({ ...agent, ...news })),
        ...more,
      }),
    );
  const answer = () => {
    const mailboxes = ids.map((id) =>
      transport.bus.subscribe(subjects.filters.agentVerbs({ class: of, agent: id }), (request) =>
        request.respond(encode({ id })),
      ),
    );
    const roll = transport.bus.subscribe(subjects.everyAgent, (request) =>
      request.respond(encode({ agents })),
    );
    return () => {
      for (const subscription of [...mailboxes, roll]) subscription.close();
    };
  };
  return { agents, beat, answer };
}

/** A coordinator whose registrar uses a clock of the test. */
async function setup() {
  const swarm = await setupOffice();
  const { office, transport } = await swarm.start("c1", ["c1"], {}, { placement: false });
  const time = { nowMs: 0 };
  const meter = createMeter();
  const registrar = new Registrar({
    transport,
    office,
    log: silentLogger,
    meter,
    nowMs: () => time.nowMs,
  });
  onTestFinished(() => registrar.service.stop());
  await vi.waitFor(() => expect(office.tenure).not.toBeNull(), SOON);
  await registrar.service.start();
  const listed = async () => (await registrar.listAgents({})).agents.map(({ id }) => id);
  const members = () => [...office.state.registry.members.keys()].sort();
  /** Lets time pass in steps that are no pause, with the registrar's checks between them. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 900) {
      time.nowMs += Math.min(900, left);
      await new Promise((resolve) => setTimeout(resolve, 260));
    }
  };
  return { swarm, office, transport, registrar, meter, time, listed, members, pass };
}

describe("the registrar", () => {
  it("lists an agent with its first heartbeat, and commits nothing for the next ones", async () => {
    const { office, transport, registrar, listed } = await setup();
    const submit = vi.spyOn(office, "submit");
    const host = fakeHost(transport, "h1", ["a1", "a2"]);
    host.beat();
    await vi.waitFor(async () => expect(await listed()).toEqual(["a1", "a2"]), SOON);
    for (let n = 0; n < 5; n++) host.beat({}, { slots: { used: n, total: 8 }, loop: n, state: "working" });
    await vi.waitFor(async () => {
      const { agents } = await registrar.listAgents({});
      expect(agents[0]).toMatchObject({ state: "working", slots: { used: 4, total: 8 } });
    }, SOON);
    expect(submit).toHaveBeenCalledTimes(1);
  });

  it("commits changes, and removes an agent at once after its goodbye", async () => {
    const { transport, office, members } = await setup();
    const host = fakeHost(transport, "h1", ["a1"]);
    host.beat();
    await vi.waitFor(() => expect(members()).toEqual(["a1"]), SOON);
    host.beat({}, { version: "2.0.0", expertise: ["search"] });
    await vi.waitFor(
      () =>
        expect(office.state.registry.members.get("a1")?.profile).toMatchObject({
          version: "2.0.0",
          expertise: ["search"],
        }),
      SOON,
    );
    host.beat({ goodbye: true });
    await vi.waitFor(() => expect(members()).toEqual([]), SOON);
  });

  it("removes an agent also when its goodbye comes while its join is in flight", async () => {
    const { transport, office, members } = await setup();
    const submit = office.submit.bind(office);
    const host = fakeHost(transport, "h1", ["a1"]);
    const submitted: string[] = [];
    vi.spyOn(office, "submit").mockImplementation(async (key, command) => {
      submitted.push(command.type);
      if (submitted.length > 1) return submit(key, command);
      host.beat({ goodbye: true });
      await new Promise((resolve) => setTimeout(resolve, 50)); // the log is slow
      return submit(key, command);
    });
    host.beat();
    await vi.waitFor(() => expect(submitted).toEqual(["members-join", "members-leave"]), SOON);
    await vi.waitFor(() => expect(members()).toEqual([]), SOON);
  });

  it("misses an agent after three heartbeats, but not because this process was paused", async () => {
    const { transport, time, members, pass } = await setup();
    fakeHost(transport, "h1", ["a1"]).beat();
    await vi.waitFor(() => expect(members()).toEqual(["a1"]), SOON);
    time.nowMs += 10 * SILENCE_MS; // one check finds that all of it has passed: a pause
    await pass(SILENCE_MS - 1_000);
    expect(members()).toEqual(["a1"]);
    await pass(2_000);
    await vi.waitFor(() => expect(members()).toEqual([]), SOON);
  });

  it("reports two hosts with one agent id, and believes the host whose agent started later", async () => {
    const { transport, meter, office, members } = await setup();
    const told: unknown[] = [];
    transport.bus.subscribe(subjects.event("agent", "a1", "conflict"), ({ data }) =>
      told.push(JSON.parse(new TextDecoder().decode(data))),
    );
    const old = fakeHost(transport, "h1", ["a1"], { since: "2026-01-01T00:00:00.000Z" });
    const young = fakeHost(transport, "h2", ["a1"], { since: "2026-01-01T00:00:09.000Z" });
    for (const host of [old, young, old, old]) host.beat();
    await vi.waitFor(() => expect(told).toEqual([{ agent: "a1", kept: "h2", refused: "h1" }]), SOON);
    await vi.waitFor(() => expect(office.state.registry.members.get("a1")?.profile.host).toBe("h2"), SOON);
    expect((await meter.agentConflicts.get()).values[0]?.value).toBe(1);
    old.beat({ goodbye: true });
    expect(members()).toEqual(["a1"]);
  });

  it("rejects messages that are no heartbeat, or report agents of another host", async () => {
    const { transport, members } = await setup();
    const { bus } = transport;
    const beat = (host: string, agents: object[]) => encode({ host, pid: 1, role: "r", at: "now", agents });
    bus.publish(heartbeatOf("h1"), encode({ host: "h1" }));
    bus.publish(heartbeatOf("h1"), new Uint8Array([1, 2, 3]));
    bus.publish(heartbeatOf("other"), beat("h1", [makeStatus({ id: "a1" })]));
    bus.publish(heartbeatOf("h1"), beat("h1", [makeStatus({ id: "a2", host: "h2" })]));
    bus.publish(heartbeatOf("h1"), beat("h1", [makeStatus({ id: "a3", role: "x".repeat(200) })]));
    bus.publish(heartbeatOf("h1", "gpu"), beat("h1", [makeStatus({ id: "a5" })]));
    bus.publish(heartbeatOf("h1"), beat("h1", [makeStatus({ id: "a6", class: "gpu" })]));
    bus.publish(heartbeatOf("h1"), beat("h1", [makeStatus({ id: "a4" })]));
    await vi.waitFor(() => expect(members()).toEqual(["a4"]), SOON);
  });

  it("removes the agents of a host that is reported dead, unless one of them answers", async () => {
    const { transport, office, members } = await setup();
    for (const host of [fakeHost(transport, "h1", ["a1"]), fakeHost(transport, "h2", ["a2", "a3"])])
      host.beat();
    let asked = 0;
    transport.bus.subscribe(subjects.agent({ class: "default", agent: "a1" }, "ping"), (request) => {
      asked++;
      request.respond(encode({ id: "a1" }));
    });
    await vi.waitFor(() => expect(members()).toEqual(["a1", "a2", "a3"]), SOON);
    const submit = vi.spyOn(office, "submit");
    const forged = Array.from({ length: 20 }, () => "h1");
    for (const host of [...forged, "unknown", "h2"]) transport.bus.publish(subjects.gone(host), encode({}));
    await vi.waitFor(() => expect(members()).toEqual(["a1"]), SOON);
    await vi.waitFor(() => expect(asked).toBeGreaterThan(0), SOON);
    expect(asked).toBeLessThan(forged.length); // one probe of a host at a time
    const left = [
      { id: "a2", host: "h2" },
      { id: "a3", host: "h2" },
    ];
    expect(submit.mock.calls.map(([, command]) => command)).toEqual([
      { type: "members-leave", reason: "disconnected", agents: left },
    ]);
  });

  it("probes the hosts of one name in each class by itself", async () => {
    const { transport, members } = await setup();
    const living = fakeHost(transport, "h1", ["a1"], { class: "gpu" });
    living.answer();
    for (const host of [living, fakeHost(transport, "h1", ["a2"])]) host.beat();
    await vi.waitFor(() => expect(members()).toEqual(["a1", "a2"]), SOON);
    transport.bus.publish(subjects.gone("h1"), encode({}));
    await vi.waitFor(() => expect(members()).toEqual(["a1"]), SOON);
  });

  it("shows one agent with its record, and reports an unknown agent", async () => {
    const { transport, office, registrar, members } = await setup();
    fakeHost(transport, "h1", ["a1"], { expertise: ["search"], model: "m-1" }).beat();
    await vi.waitFor(() => expect(members()).toEqual(["a1"]), SOON);
    const outcomes = [{ agent: "a1", capability: "echo", count: 4, failures: 1, totalMs: 40 }];
    await office.submit("k1", { type: "record-add", outcomes });
    const shown = await registrar.showAgent({ agent: "a1" });
    expect(shown.agent).toMatchObject({ id: "a1", expertise: ["search"], model: "m-1" });
    expect(shown.record).toEqual([
      { capability: "echo", count: 4, failures: 1, successRate: 0.75, meanMs: 10 },
    ] satisfies RecordView[]);
    await expect(registrar.showAgent({ agent: "nobody" })).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("after a change of the office", () => {
  it("the next holder calls the roll, and removes agents that do not answer in time", async () => {
    const swarm = await setupOffice();
    const first = await swarm.start("c1", ["c1"]);
    const { transport } = swarm;
    const stays = fakeHost(transport, "h1", ["a1"]);
    fakeHost(transport, "h2", ["a2"]).beat();
    stays.beat();
    const members = (of: typeof first) => [...of.office.state.registry.members.keys()].sort();
    await vi.waitFor(() => expect(members(first)).toEqual(["a1", "a2"]), SOON);
    await first.stop();

    const newcomer = fakeHost(transport, "h3", ["a3"]);
    for (const host of [stays, newcomer]) onTestFinished(host.answer());
    const second = await swarm.start("c1", ["c1"]);
    await vi.waitFor(() => expect(members(second)).toEqual(["a1", "a2", "a3"]), SOON);
    await vi.waitFor(async () => {
      const page = (await swarm.client.readNow("agents", {})) as { agents: AgentStatus[] } | null;
      expect(page?.agents.map(({ id }) => id)).toEqual(["a1", "a3"]);
    }, SOON);
  });

  it("a read without a holder fails at once", async () => {
    const { client } = await setupOffice();
    expect(await client.readNow("agents")).toBeNull();
  });
});

it("the registrar lists thousands of agents in pages", async () => {
  const swarm = await setupOffice();
  const { office } = await swarm.start("c1", ["c1"]);
  await vi.waitFor(() => expect(office.tenure).not.toBeNull(), SOON);
  const ids = Array.from({ length: 3_000 }, (_, n) => `a${String(n).padStart(4, "0")}`);
  for (let from = 0; from < ids.length; from += 300) {
    fakeHost(swarm.transport, `h${from}`, ids.slice(from, from + 300)).beat();
  }
  await vi.waitFor(() => expect(office.state.registry.members.size).toBe(3_000), SOON);
  const listed: string[] = [];
  for (let after = "", pages = 0; pages < 20; pages++) {
    const page = (await vi.waitFor(async () => {
      const told = await swarm.client.readNow("agents", { after });
      expect(told).not.toBeNull(); // `readNow` waits only half a second
      return told;
    }, SOON)) as { agents: AgentStatus[]; next: string | null };
    expect(JSON.stringify(page).length).toBeLessThan(300 * 1_024);
    listed.push(...page.agents.map(({ id }) => id));
    if (page.next === null) break;
    after = page.next;
  }
  expect(listed).toEqual(ids);
});

// The retries are for a loaded machine: a second is the promise, and the notice takes 0.7 s.
it("an agent process whose connection ends is removed within a second if the account imports that advisory", {
  retry: 2,
}, async () => {
  const server = await startNatsServer({
    config: `
accounts {
  SYS { users: [{ user: sys, password: sys }], exports: [{ stream: "$SYS.ACCOUNT.*.DISCONNECT", account_token_position: 3 }] }
  SWARM {
    jetstream: enabled
    users: [{ user: swarm, password: swarm }]
    imports: [{ stream: { account: SYS, subject: "$SYS.ACCOUNT.SWARM.DISCONNECT" } }]
  }
}
system_account: SYS`,
  });
  onTestFinished(() => server.stop());
  const swarm = await setupOffice({ at: server, credentials: { user: "swarm", password: "swarm" } });
  const { office } = await swarm.start("c1", ["c1"]);
  const connect = async (host: string) => {
    const transport = await connectNats({
      servers: server.url,
      credentials: { user: "swarm", password: "swarm" },
      name: `murmur-agent ${host}`,
      prefix: "murmur",
      log: silentLogger,
      meter: createMeter(),
    });
    onTestFinished(() => transport.close());
    return transport;
  };
  const [dying, living] = [await connect("h1"), await connect("h2")];
  const again = await connect("h2"); // a second connection of the same name: the end of it is no death
  fakeHost(dying, "h1", ["a1", "a2"]).beat();
  const lives = fakeHost(living, "h2", ["a3"]);
  onTestFinished(lives.answer());
  lives.beat();
  const members = () => [...office.state.registry.members.keys()].sort();
  await vi.waitFor(() => expect(members()).toEqual(["a1", "a2", "a3"]), SOON);
  await Promise.all([dying.close(), again.close()]);
  const endedMs = performance.now();
  await vi.waitFor(() => expect(members()).toEqual(["a3"]), SOON);
  expect(performance.now() - endedMs).toBeLessThan(1_000);
  const log: string[] = [];
  for await (const { data } of swarm.transport.log("office").read()) log.push(new TextDecoder().decode(data));
  const reasons = log.flatMap((entry) =>
    [...entry.matchAll(/"reason":"([a-z]+)"/g)].map(([, reason]) => reason),
  );
  expect(new Set(reasons)).toEqual(new Set(["disconnected"])); // and not for their silence
});
