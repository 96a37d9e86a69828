// One nats-server with coordinators as processes, for measurements. Owns their start and end; test/support/office/rig.ts does
// the same on a cluster.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMeter, silentLogger, sleep } from "../../../src/base/index.ts";
import { createOfficeClient, foundOffice, type OfficeClient } from "../../../src/coordinator/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { startNatsServer } from "../../../test/support/nats-server.ts";
import {
  createCoordinator,
  createMurmurProcess,
  type MurmurProcess,
} from "../../../test/support/office/process.ts";

/** The longest wait for an expected event, in ms. */
export const PATIENCE_MS = 60_000;
/** After a start, a coordinator does not vote for 1 s: a kill must not leave a majority that cannot vote. */
const SETTLE_MS = 1_500;
const POLL_MS = 50;

/** A swarm without agents; `start` starts some. */
export interface World {
  readonly transport: Transport;
  readonly office: OfficeClient;
  readonly coordinators: readonly MurmurProcess[];
  /** The address of the nats-server. */
  readonly server: string;
  /** The log of the process `id`. */
  logFile(id: string): string;
  /** The coordinator in office. @throws SwarmError `unavailable` when no coordinator proves that it is. */
  leader(): Promise<MurmurProcess>;
  /** Starts and resumes all coordinators; resolves when each can vote. */
  recover(): Promise<void>;
  /** Another connection. */
  connect(): Promise<Transport>;
  /** Starts `murmur <args>` in this swarm. */
  start(id: string, args: readonly string[]): MurmurProcess;
  stop(): Promise<void>;
}

/** Starts a swarm with a coordinator for each of `members`. `config` is appended to the server's; `user` belongs to it. */
export async function startWorld(options: {
  members: readonly string[];
  config?: string;
  user?: { name: string; password: string };
}): Promise<World> {
  const { members, user } = options;
  const nats = await startNatsServer(options.config === undefined ? {} : { config: options.config });
  const server = user === undefined ? nats.url : nats.url.replace("//", `//${user.name}:${user.password}@`);
  const logs = mkdtempSync(join(tmpdir(), "murmur-measure-"));
  const transports: Transport[] = [];
  const processes: MurmurProcess[] = [];
  const stop = async () => {
    await Promise.all(processes.map((each) => each.kill()));
    await Promise.all(transports.map((each) => each.close()));
    await nats.stop();
    rmSync(logs, { recursive: true, force: true });
  };
  const connect = async () => {
    const parts = { servers: server, prefix: "murmur", log: silentLogger, meter: createMeter() };
    const transport = await connectNats({ ...parts, name: "measurement" });
    transports.push(transport);
    return transport;
  };
  try {
    const transport = await connect();
    await transport.init();
    await foundOffice(transport);
    const office = createOfficeClient({ transport });
    const coordinators = members.map((id) =>
      createCoordinator({ id, members, server, logFile: join(logs, `${id}.log`) }),
    );
    processes.push(...coordinators);
    const world: World = {
      ...{ transport, office, coordinators, server, connect, stop },
      logFile: (id) => join(logs, `${id}.log`),
      async leader() {
        const { leader } = await office.tenure({ timeoutMs: PATIENCE_MS });
        return coordinators.find(({ id }) => id === leader)!;
      },
      async recover() {
        for (const each of coordinators) {
          each.resume();
          each.start();
        }
        await office.tenure({ timeoutMs: PATIENCE_MS });
        while ((await office.listCoordinators()).length < members.length) await sleep(POLL_MS);
        await sleep(SETTLE_MS);
      },
      start(id, args) {
        const environment = { MURMUR_SERVER: server, MURMUR_CREATE_CONSUMERS: "true" };
        const started = createMurmurProcess({ id, args, environment, logFile: join(logs, `${id}.log`) });
        processes.push(started);
        started.start();
        return started;
      },
    };
    await world.recover();
    return world;
  } catch (error) {
    await stop();
    throw error;
  }
}
