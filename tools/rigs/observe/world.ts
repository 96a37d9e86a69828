// A swarm to look at: one nats-server, and one process of each role with its `/metrics`. Owns their start and end, scrapes, and hosts that
// the rig itself plays: a host is a heartbeat and an answer to the roll call, so hundreds of them cost one process.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEARTBEAT_INTERVAL_MS } from "../../../src/agent/index.ts";
import { createMeter, silentLogger, sleep } from "../../../src/base/index.ts";
import { foundOffice } from "../../../src/coordinator/index.ts";
import { type AgentStatus, createSubjects, encode } from "../../../src/protocol/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { type NatsServer, startNatsServer } from "../../../test/support/nats-server.ts";
import { createMurmurProcess, type MurmurProcess } from "../../../test/support/office/process.ts";
import { freePort } from "../alerts/monitor.ts";

/** The roles whose processes serve `/metrics`. */
export const ROLES = ["coordinator", "api", "agent", "engine"] as const;
/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

const PATIENCE_MS = 60_000;
const POLL_MS = 50;
/** A scrape of Prometheus waits for 10 s by default. */
const SCRAPE_TIMEOUT_MS = 10_000;

/** A swarm with one process of each role. */
export class ObservedSwarm {
  readonly nats: NatsServer;
  readonly transport: Transport;
  readonly #folder = mkdtempSync(join(tmpdir(), "murmur-observe-"));
  readonly #members = new Map<string, { process: MurmurProcess; url: string }>();

  private constructor(nats: NatsServer, transport: Transport) {
    this.nats = nats;
    this.transport = transport;
  }

  /** Starts the swarm; resolves when each of `roles` answers a scrape. */
  static async start(roles: readonly Role[] = ROLES): Promise<ObservedSwarm> {
    const nats = await startNatsServer();
    const parts = { servers: nats.url, prefix: "murmur", log: silentLogger, meter: createMeter() };
    const swarm = new ObservedSwarm(nats, await connectNats({ ...parts, name: "observe" }));
    try {
      await swarm.transport.init();
      await foundOffice(swarm.transport);
      const args = {
        coordinator: ["coordinator"],
        api: ["api"],
        agent: ["agent", "run", "echo"],
        engine: ["engine"],
      };
      for (const role of roles) await swarm.add(role, args[role]);
      return swarm;
    } catch (error) {
      await swarm.stop();
      throw error;
    }
  }

  /** Starts `murmur args`, and waits for its first scrape. */
  async add(
    id: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<MurmurProcess> {
    const [metrics, http] = [await freePort(), await freePort()];
    const process = createMurmurProcess({
      id,
      args,
      logFile: join(this.#folder, `${id}.log`),
      environment: {
        MURMUR_SERVER: this.nats.url,
        MURMUR_METRICS_PORT: String(metrics),
        MURMUR_HTTP_PORT: String(http),
        MURMUR_CREATE_CONSUMERS: "true",
        MURMUR_DATA: join(this.#folder, "data"),
        MURMUR_WORKFLOWS_DIR: join(this.#folder, "workflows"),
        MURMUR_COORDINATOR_ID: "c1",
        MURMUR_COORDINATORS: "c1",
        ...environment,
      },
    });
    const url = `http://127.0.0.1:${args[0] === "api" ? http : metrics}`;
    this.#members.set(id, { process, url });
    process.start();
    await until(`${id} answers a scrape`, async () => (await this.scrape(id).catch(() => "")) !== "");
    return process;
  }

  /** The base URL of a process: of the API for an api process, of its probes for another one. */
  url(id: string): string {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`no process ${id} was started`);
    return member.url;
  }

  process(id: string): MurmurProcess {
    return this.#members.get(id)!.process;
  }

  /** The text of one scrape. @throws Error without an answer of status 200. */
  async scrape(id: string): Promise<string> {
    const answer = await fetch(`${this.url(id)}/metrics`, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`/metrics of ${id} answers ${answer.status}`);
    return text;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ process }) => process.kill()));
    await this.transport.close();
    await this.nats.stop();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The ticks of a CPU clock in a second; Linux has 100 for every program. */
const TICKS_PER_SECOND = 100;

/** The CPU time of a process in seconds (proc(5): fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The value of a metric without labels in a scrape; NaN without one. */
export function valueIn(scrape: string, metric: string): number {
  const line = scrape
    .split("\n")
    .find((each) => each.startsWith(`${metric} `) || each.startsWith(`${metric}{`));
  return Number(line?.split(" ")[1]);
}

/** The number of series in a scrape. */
export function countSeries(scrape: string): number {
  return scrape.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
}

export async function until(what: string, is: () => Promise<boolean>, withinMs = PATIENCE_MS): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (performance.now() < endMs) {
    if (await is()) return;
    await sleep(POLL_MS);
  }
  throw new Error(`not within ${withinMs} ms: ${what}`);
}

/** The agents of hosts that the rig plays. */
export function playedAgents(hosts: number, perHost: number, from = 0): AgentStatus[][] {
  const since = new Date().toISOString();
  return Array.from({ length: hosts }, (_, at) => {
    const host = `played-${from + at}`;
    return Array.from({ length: perHost }, (__, index) => ({
      ...{
        id: `${host}-${index}`,
        role: "played",
        capabilities: [`played-${index % 10}`],
        state: "idle" as const,
      },
      ...{ waiting: null, slots: { used: 0, total: 1 }, loop: 1, class: "default", host, pid: from + at + 1 },
      ...{ since, version: "0.0.0" },
    }));
  });
}

/** Beats for each host, and answers roll calls, until it is stopped. */
export function playHosts(
  transport: Transport,
  hosts: readonly (readonly AgentStatus[])[],
): { stop(): void } {
  const subjects = createSubjects(transport.prefix);
  const answering = transport.bus.subscribe(subjects.everyAgent, (request) => {
    for (const agents of hosts) request.respond(encode({ agents }));
  });
  const beatAll = () => beat(transport, hosts);
  beatAll();
  const timer = setInterval(beatAll, HEARTBEAT_INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      answering.close();
    },
  };
}

/** One heartbeat of each host; `goodbye`: its last one. */
export function beat(
  transport: Transport,
  hosts: readonly (readonly AgentStatus[])[],
  goodbye = false,
): void {
  const subjects = createSubjects(transport.prefix);
  for (const agents of hosts) {
    const { host = "", pid = 0, role = "" } = agents[0] ?? {};
    const body = { host, pid, role, at: new Date().toISOString(), agents, ...(goodbye ? { goodbye } : {}) };
    transport.bus.publish(subjects.heartbeat({ class: "default", host }), encode(body));
  }
}
