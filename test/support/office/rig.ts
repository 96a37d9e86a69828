// Coordinators and nats-servers as processes, whose every wire can be cut. Owns starting, signals and the way back to
// health; what is done to them is faults.ts, what they are asked is load.ts.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMeter, silentLogger, sleep } from "../../../src/base/index.ts";
import { createOfficeClient, foundOffice, type OfficeClient } from "../../../src/coordinator/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { type NatsCluster, startNatsCluster } from "../nats-cluster.ts";
import { createCoordinator, type MurmurProcess } from "./process.ts";

/** The coordinators of a rig. */
export const MEMBERS = ["a", "b", "c"] as const;
/** The stream of the control log. */
export const CONTROL_STREAM = "MURMUR_OFFICE_LOG";
/** How long everything may take to be well again once nothing is broken: NATS' elections (4–9 s) and a reconnect. */
const RECOVERY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

/** Three coordinators over a cluster of three servers. */
export interface OfficeRig {
  readonly cluster: NatsCluster;
  readonly coordinators: readonly MurmurProcess[];
  /** A connection past all gates, to whichever server is there. */
  readonly transport: Transport;
  /** An office client over it. */
  readonly office: OfficeClient;
  /** The URLs of all servers, past all gates. */
  readonly servers: string;
  connect(servers: string): Promise<Transport>;
  /** The coordinator that holds the office; undefined when nobody proves it within `timeoutMs`. */
  leader(timeoutMs?: number): Promise<MurmurProcess | undefined>;
  /** Heals and starts everything, and resolves when the office answers and all coordinators do. */
  recover(): Promise<void>;
  /** How often coordinators logged this message so far, over all their lives. */
  countLogLines(message: string): number;
  stop(): Promise<void>;
}

/** Starts servers, streams with three copies and coordinators, and resolves when the office answers. */
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
          if (performance.now() > giveUpMs) throw new Error("not all coordinators came back");
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
    for (const each of coordinators) each.start(); // they wait for the streams
    await transport.init();
    await foundOffice(transport);
    await rig.recover();
    return rig;
  } catch (error) {
    await stop();
    throw error;
  }
}
