// Coordinators for tests: several in one process, over a transport that the test chooses.
import { onTestFinished } from "vitest";
import { type AgentDefinition, createHost } from "../../src/agent/index.ts";
import { createOwnShared } from "../../src/app/processes/agents.ts";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import {
  type AskOptions,
  createBallots,
  createLeaseKeeper,
  createOffice,
  createOfficeClient,
  createOfficeServer,
  createPlacement,
  createStaleServer,
  foundOffice,
  type Office,
  type OfficeClient,
  type OfficeOptions,
  type Placement,
} from "../../src/coordinator/index.ts";
import type { AgentStatus, AuditNote } from "../../src/protocol/index.ts";
import {
  connectMemory,
  connectNats,
  MemoryServer,
  type NatsCredentials,
  type Transport,
} from "../../src/transport/index.ts";
import { createTaskClient, createWorker } from "../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";

/** How long tests wait for an election: it takes a second, and longer on a loaded machine. */
export const SOON = { timeout: 60_000, interval: 10 };

/** One coordinator of a test. */
export interface Coordinator {
  id: string;
  office: Office;
  placement: Placement;
  transport: Transport;
  meter: ReturnType<typeof createMeter>;
  /** Its notes for the audit log. */
  notes: AuditNote[];
  stop(): Promise<void>;
}

/** A swarm with a control log, and functions that start coordinators and clients. */
export async function setupOffice(
  options: {
    nats?: boolean;
    prefix?: string;
    at?: NatsServer;
    credentials?: NatsCredentials;
    /** Keeps the stop of each part; default: each is stopped at the end of the test. */
    onEnd?: (stop: () => Promise<void> | void) => void;
  } = {},
) {
  const prefix = options.prefix ?? "murmur";
  const onEnd = options.onEnd ?? onTestFinished;
  const server = options.at ?? (options.nats === true ? await startNatsServer() : undefined);
  if (server !== undefined) onEnd(() => server.stop());
  const memory = new MemoryServer();
  /** `url`: another address of the server, if there is one. */
  const connect = async (url = server?.url): Promise<Transport> => {
    const transport =
      url === undefined
        ? connectMemory({ prefix, server: memory })
        : await connectNats({
            servers: url,
            credentials: options.credentials,
            name: "test",
            prefix,
            log: silentLogger,
            meter: createMeter(),
          });
    onEnd(() => transport.close());
    return transport;
  };
  const transport = await connect();
  await transport.init();
  await foundOffice(transport);

  async function start(
    id: string,
    members: readonly string[],
    extra: Partial<OfficeOptions> = {},
    {
      placement: placed = true,
      transport: given,
      ballots: ballotParts = {},
    }: {
      placement?: boolean;
      transport?: Transport;
      ballots?: Partial<Parameters<typeof createBallots>[0]>;
    } = {},
  ): Promise<Coordinator> {
    const own = given ?? (await connect());
    const meter = createMeter();
    const log = silentLogger;
    const notes: AuditNote[] = [];
    const audit = (note: AuditNote) => void notes.push(note);
    const office = createOffice({
      transport: own,
      log,
      meter,
      audit,
      id,
      members,
      version: "1.0.0",
      seed: 1,
      ...extra,
    });
    const placement = createPlacement({ transport: own, office, meter, log, seed: 1 });
    const tasks = createTaskClient({ transport: own, meter });
    const shared = { transport: own, office, log, audit };
    const ballots = createBallots({ ...shared, placement, tasks, meter, ...ballotParts });
    const answers = { ...placement.answers, ...ballots.answers };
    const answering = createOfficeServer({ ...shared, members, answers });
    const looking = createStaleServer({ transport: own, office, log });
    const stop = async () => {
      await looking.stop();
      await answering.stop();
      await office.service.stop();
      await placement.service.stop();
      await ballots.service.stop();
      tasks.close();
    };
    onEnd(stop);
    if (placed) await placement.service.start();
    await ballots.service.start();
    await office.service.start();
    await answering.start();
    await looking.start();
    await office.opened;
    return { id, office, placement, transport: own, meter, notes, stop };
  }

  return {
    server,
    transport,
    connect,
    client: createOfficeClient({ transport }),
    start,
    startAll: (members: readonly string[]) => Promise.all(members.map((id) => start(id, members))),
  };
}

/** Takes a free lock as owner `o` and returns its fencing token. */
export async function takeLock(
  client: OfficeClient,
  { name, ttlMs = 60_000, ...options }: { name: string; ttlMs?: number } & AskOptions,
): Promise<number> {
  const reply = await client.write("lock-acquire", { name, owner: "o", ttlMs, patienceMs: 0 }, options);
  if (!reply.acquired) throw new Error(`lock ${name} is held by ${reply.holder.owner}`);
  return reply.token;
}

/** Starts one agent of each definition, all in one host. */
export async function startAgents(
  transport: Transport,
  definitions: readonly AgentDefinition[],
  hostId = "h1",
  { onEnd = onTestFinished }: { onEnd?: (stop: () => Promise<void> | void) => void } = {},
): Promise<void> {
  const parts = { transport, meter: createMeter(), log: silentLogger, hostId };
  const roles = definitions.map((definition) => ({ definition }));
  const locks = createLeaseKeeper({ office: createOfficeClient({ transport }), log: silentLogger });
  const shared = createOwnShared(transport);
  const host = createHost({ ...parts, role: "test", version: "1.0.0", roles, locks, shared });
  const worker = createWorker({ ...parts, workforce: host.workforce, capabilities: host.capabilities });
  await host.service.start();
  await worker.start();
  onEnd(async () => {
    await worker.stop();
    await host.service.stop();
  });
}

/** The status that an agent reports. */
export function makeStatus(fields: Partial<AgentStatus> = {}): AgentStatus {
  return {
    id: "a1",
    role: "echo",
    capabilities: ["echo"],
    state: "idle",
    waiting: null,
    slots: { used: 0, total: 8 },
    loop: 0,
    host: "h1",
    pid: 1,
    since: "2026-01-01T00:00:00.000Z",
    version: "1.0.0",
    ...fields,
  };
}
