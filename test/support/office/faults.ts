// The faults of a rig: one table with the start and the end of each. Owns the choice of victims; chaos.ts decides when a
// fault begins.
import { type Chance, integerBetween } from "../../../src/base/index.ts";
import { around, type ClusterServer } from "../nats-cluster.ts";
import { between, type CutKind, type Direction } from "../wires.ts";
import type { MurmurProcess } from "./process.ts";
import { CONTROL_STREAM, type OfficeRig } from "./rig.ts";

/** A fault that has begun and not ended. */
export interface Broken {
  /** The process or server that the fault hit, as text for the record. */
  readonly victim: string;
  /** Ends the fault: starts or resumes its victim, or heals the connections. Does nothing when the victim is well already. */
  heal(): Promise<void> | void;
}

/** A kind of fault. */
export interface FaultKind {
  readonly about: string;
  /** The shortest and the longest length, in ms. The range covers lengths below and above the timeouts that the fault may cause. */
  readonly lastsMs: readonly [number, number];
  /** Starts the fault; null when it is impossible now, for example without a leader. */
  begin(rig: OfficeRig, chance: Chance): Promise<Broken | null>;
}

/** The faults of operators, machines and networks that a test can cause among the processes of one machine. */
export const FAULTS = {
  "coordinator-leader-kill": {
    about: "kill -9 of the coordinator in office",
    lastsMs: [200, 4_000],
    begin: async (rig) => killCoordinator(await rig.leader()),
  },
  "coordinator-leader-pause": {
    about: "SIGSTOP of the coordinator in office, SIGCONT later",
    lastsMs: [300, 5_000],
    begin: async (rig) => pauseCoordinator(await rig.leader()),
  },
  "coordinator-leader-term": {
    about: "SIGTERM of the coordinator in office",
    lastsMs: [500, 3_000],
    begin: async (rig) => termCoordinator(await rig.leader()),
  },
  "coordinator-follower-kill": {
    about: "kill -9 of a coordinator that is not in office",
    lastsMs: [200, 4_000],
    begin: async (rig, chance) => killCoordinator(await chooseFollower(rig, chance)),
  },
  "coordinator-follower-pause": {
    about: "SIGSTOP of a coordinator that is not in office",
    lastsMs: [300, 5_000],
    begin: async (rig, chance) => pauseCoordinator(await chooseFollower(rig, chance)),
  },
  "office-transfer": {
    about: "office transfer",
    lastsMs: [100, 500],
    async begin(rig) {
      const asked = await rig.office.transfer(undefined, { timeoutMs: 1_000 }).catch(() => undefined);
      return asked === undefined ? null : { victim: `${asked.from} to ${asked.to}`, heal: () => undefined };
    },
  },
  "nats-leader-kill": {
    about: "kill -9 of the nats-server that leads the control log",
    lastsMs: [500, 9_000],
    begin: async (rig) => killServer(await findStreamLeader(rig)),
  },
  "nats-leader-pause": {
    about: "SIGSTOP of the nats-server that leads the control log",
    lastsMs: [500, 12_000],
    begin: async (rig) => pauseServer(await findStreamLeader(rig)),
  },
  "nats-follower-kill": {
    about: "kill -9 of a nats-server that does not lead the control log",
    lastsMs: [500, 6_000],
    async begin(rig, chance) {
      const leader = await rig.cluster.streamLeader(CONTROL_STREAM);
      return killServer(
        pick(
          chance,
          rig.cluster.servers.filter(({ name, isUp }) => isUp && name !== leader),
        ),
      );
    },
  },
  "nats-leader-cut": {
    about: "the nats-server that leads the control log is cut off from the other two",
    lastsMs: [1_000, 15_000],
    async begin(rig, chance) {
      const server = await findStreamLeader(rig);
      return server === undefined ? null : cut(rig, chance, around(rig.cluster, server.name), server.name);
    },
  },
  "nats-server-cut": {
    about: "any nats-server is cut off from the other two",
    lastsMs: [1_000, 12_000],
    async begin(rig, chance) {
      const server = pick(chance, rig.cluster.servers);
      return server === undefined ? null : cut(rig, chance, around(rig.cluster, server.name), server.name);
    },
  },
  "nats-leader-deaf": {
    about: "the nats-server that leads the control log sends to the others but receives nothing from them",
    lastsMs: [1_000, 15_000],
    async begin(rig) {
      const server = await findStreamLeader(rig);
      if (server === undefined) return null;
      const deaf = around(rig.cluster, server.name).filter(({ to }) => to === server.name);
      return cutWires(rig, deaf, "hold", server.name);
    },
  },
  "nats-leader-mute": {
    about:
      "the nats-server that leads the control log receives from the others, but nothing that it sends reaches them",
    lastsMs: [1_000, 15_000],
    async begin(rig) {
      const server = await findStreamLeader(rig);
      if (server === undefined) return null;
      const mute = around(rig.cluster, server.name).filter(({ from }) => from === server.name);
      return cutWires(rig, mute, "hold", server.name);
    },
  },
  "coordinator-leader-cut": {
    about: "the coordinator in office is cut off from every nats-server",
    lastsMs: [500, 6_000],
    async begin(rig, chance) {
      const leader = await rig.leader();
      return leader === undefined ? null : cut(rig, chance, clientWires(rig, leader), leader.id);
    },
  },
  "coordinator-leader-deaf": {
    about: "the coordinator in office sends but receives nothing",
    lastsMs: [500, 6_000],
    async begin(rig) {
      const leader = await rig.leader();
      if (leader === undefined) return null;
      const deaf = clientWires(rig, leader).filter(({ to }) => to === leader.id);
      return cutWires(rig, deaf, "hold", leader.id);
    },
  },
  "coordinator-leader-mute": {
    about: "the coordinator in office receives, but nothing that it sends arrives",
    lastsMs: [500, 6_000],
    async begin(rig) {
      const leader = await rig.leader();
      if (leader === undefined) return null;
      const mute = clientWires(rig, leader).filter(({ from }) => from === leader.id);
      return cutWires(rig, mute, "hold", leader.id);
    },
  },
} as const satisfies Record<string, FaultKind>;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;
/** The names of all faults. */
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

function pick<T>(chance: Chance, from: readonly T[]): T | undefined {
  return from[integerBetween(chance, 0, from.length - 1)];
}

async function chooseFollower(rig: OfficeRig, chance: Chance): Promise<MurmurProcess | undefined> {
  const leader = await rig.leader();
  return pick(
    chance,
    rig.coordinators.filter((each) => each.isUp && each !== leader),
  );
}

async function findStreamLeader(rig: OfficeRig): Promise<ClusterServer | undefined> {
  const name = await rig.cluster.streamLeader(CONTROL_STREAM);
  const server = name === undefined ? undefined : rig.cluster.server(name);
  return server?.isUp === true ? server : undefined;
}

async function killCoordinator(victim: MurmurProcess | undefined): Promise<Broken | null> {
  if (victim === undefined) return null;
  await victim.kill();
  return { victim: victim.id, heal: () => victim.start() };
}

function pauseCoordinator(victim: MurmurProcess | undefined): Broken | null {
  if (victim === undefined) return null;
  victim.pause();
  return { victim: victim.id, heal: () => victim.resume() };
}

async function termCoordinator(victim: MurmurProcess | undefined): Promise<Broken | null> {
  if (victim === undefined) return null;
  const ended = victim.stop();
  return {
    victim: victim.id,
    async heal() {
      await ended;
      victim.start();
    },
  };
}

async function killServer(victim: ClusterServer | undefined): Promise<Broken | null> {
  if (victim === undefined) return null;
  await victim.kill();
  return { victim: victim.name, heal: () => victim.restart() };
}

function pauseServer(victim: ClusterServer | undefined): Broken | null {
  if (victim === undefined) return null;
  victim.pause();
  return { victim: victim.name, heal: () => victim.resume() };
}

function clientWires({ cluster }: OfficeRig, { id }: MurmurProcess): Direction[] {
  return between(
    [id],
    cluster.servers.map(({ name }) => name),
  );
}

function cut(rig: OfficeRig, chance: Chance, wires: readonly Direction[], victim: string): Broken {
  return cutWires(rig, wires, chance.next() < 0.7 ? "hold" : "break", victim);
}

function cutWires(rig: OfficeRig, wires: readonly Direction[], kind: CutKind, victim: string): Broken {
  rig.cluster.wires.cut(wires, kind);
  return { victim: `${victim} (${kind})`, heal: () => rig.cluster.wires.heal(wires) };
}
