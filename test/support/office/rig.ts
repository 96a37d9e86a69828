// A rig: coordinators and nats-servers as processes, with connections that a test can cut. Owns start, recovery and stop;
// faults.ts owns the faults, and load.ts the requests of clients.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMeter, silentLogger, sleep } from "../../../src/base/index.ts";
import { createOfficeClient, foundOffice, type OfficeClient } from "../../../src/coordinator/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { type NatsCluster, startNatsCluster } from "../nats-cluster.ts";
import { createCoordinator, type MurmurProcess } from "./process.ts";

/** The ids of the coordinators of a rig. */
export const MEMBERS = ["a", "b", "c"] as const;
/** The name of the control log's stream. */
export const CONTROL_STREAM = "MURMUR_OFFICE_LOG";
/** The time limit of a recovery after all faults are healed: elections inside NATS take 4–9 s, then clients reconnect. */
const RECOVERY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

/** Three coordinators over a cluster of three servers. */
export interface OfficeRig {
  readonly cluster: NatsCluster;
  readonly coordinators: readonly MurmurProcess[];
  /** A connection to any running server. It bypasses the gates, so no cut affects it. */
  readonly transport: Transport;
  /** An office client over `transport`. */
  readonly office: OfficeClient;
  /** The URLs of all servers. They bypass the gates. */
  readonly servers: string;
  /** Opens a connection to these servers. `stop` closes it. */
  connect(servers: string): Promise<Transport>;
  /** The coordinator in office; undefined when no coordinator proves within `timeoutMs` (default 2 s) that it is in office. */
  leader(timeoutMs?: number): Promise<MurmurProcess | undefined>;
  /** Resumes or starts every process, heals all cuts, and resolves when the office and all coordinators answer. */
  recover(): Promise<void>;
  /** The number of times that coordinators have logged this message since the rig started, across restarts. */
  countLogLines(message: string): number;
  /** Ends all processes and connections, and removes all files. */
  stop(): Promise<void>;
}

/** Starts the servers and the coordinators, creates the streams with three copies, and resolves when the office answers. */
export async function startOfficeRig(): Promise<OfficeRig> {
  const cluster = await startNatsCluster();
  const logs = mkdtempSync(join(tmpdir(), "murmur-rig-"));
  const servers = cluster.servers.map(({ url }) => url).join(",");
  const transports: Transport[] = [];
  const coordinators: MurmurProcess[] = [];
  const stop = async () => {
    await Promise.all(coordinators.map((each) => each.kill()));
    await Promise.all(transports.map((each) => each.close()));
    await cluster.stop();
    rmSync(logs, { recursive: true, force: true });
  };
  try {
    const connect = async (urls: string) => {
      const transport = await connectNats({
        servers: urls,
        name: "rig",
        prefix: "murmur",
        log: silentLogger,
        meter: createMeter(),
      });
      transports.push(transport);
      return transport;
    };
    const transport = await connect(servers);
    const office = createOfficeClient({ transport });
    for (const id of MEMBERS) {
      const server = await cluster.clientUrl(id);
      coordinators.push(
        createCoordinator({ id, members: MEMBERS, server, logFile: join(logs, `${id}.log`) }),
      );
    }
    const rig: OfficeRig = {
      cluster,
      coordinators,
      transport,
      office,
      servers,
      connect,
      async leader(timeoutMs = 2_000) {
        const tenure = await office.tenure({ timeoutMs }).catch(() => undefined);
        return coordinators.find(({ id }) => id === tenure?.leader);
      },
      async recover() {
        for (const each of coordinators) {
          each.resume();
          if (!each.isUp) each.start();
        }
        await cluster.ready();
        await office.tenure({ timeoutMs: RECOVERY_TIMEOUT_MS });
        const giveUpMs = performance.now() + RECOVERY_TIMEOUT_MS;
        while ((await office.listCoordinators()).length < MEMBERS.length) {
          if (performance.now() > giveUpMs)
            throw new Error(`not all coordinators answered within ${RECOVERY_TIMEOUT_MS} ms`);
          await sleep(POLL_MS);
        }
      },
      countLogLines(message) {
        const wanted = `"msg":${JSON.stringify(message)}`;
        const count = (id: string) => readFileSync(join(logs, `${id}.log`), "utf8").split(wanted).length - 1;
        return MEMBERS.reduce((sum, id) => sum + count(id), 0);
      },
      stop,
    };
    for (const each of coordinators) each.start(); // coordinators wait until the streams exist
    await transport.init();
    await foundOffice(transport);
    await rig.recover();
    return rig;
  } catch (error) {
    await stop();
    throw error;
  }
}
