// Three real nats-servers with JetStream as one cluster. A test can cut each connection. Owns the server processes, and the
// gates between servers and clients. It asks the servers for the leader of a stream.
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type NatsServer, startNatsServer } from "./nats-server.ts";
import { type Direction, Wires } from "./wires.ts";

/** The time limit for the cluster to elect its leaders. Measured: 3–5 s, because of NATS' own elections. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 100;
/** The time limit of a request to a server: a paused server accepts connections but never answers. */
const ASK_TIMEOUT_MS = 1_000;
/** An address without a listener. The servers advertise it, so that they cannot learn routes that bypass the gates. */
const NOWHERE = "127.0.0.1:1";

/** One server of a cluster. */
export interface ClusterServer {
  readonly name: string;
  /** `nats://127.0.0.1:<port>`: the address that bypasses the gates, for observers. */
  readonly url: string;
  /** True when it runs and is not paused. */
  readonly isUp: boolean;
  /** Kills it with SIGKILL. The store stays. */
  kill(): Promise<void>;
  /** Starts it again, after `kill`. */
  restart(): Promise<void>;
  /** Pauses it with SIGSTOP. */
  pause(): void;
  /** Resumes it with SIGCONT. */
  resume(): void;
}

/** A running cluster. */
export interface NatsCluster {
  readonly servers: readonly ClusterServer[];
  /** The connections between servers, and between servers and the clients of {@link clientUrl}. Parties go by their names. */
  readonly wires: Wires;
  /** The URLs of all servers for the client named `name`; they lead through gates, so a test can cut them. */
  clientUrl(name: string): Promise<string>;
  /** The name of the server that leads a stream, as most servers report it; undefined when they report none. */
  streamLeader(stream: string): Promise<string | undefined>;
  /** Resolves when every copy of a stream has all messages of the leader's copy, so that the next leader has all of them. */
  inSync(stream: string): Promise<void>;
  /** The server of that name. */
  server(name: string): ClusterServer;
  /** Heals all cuts, starts all servers, and resolves when they are connected and have elected their leaders. */
  ready(): Promise<void>;
  /** Stops everything and removes the stores. */
  stop(): Promise<void>;
}

/** Starts a cluster and resolves when streams with three copies can be created. */
export async function startNatsCluster(): Promise<NatsCluster> {
  const names = ["n1", "n2", "n3"] as const;
  const wires = new Wires();
  const running = new Map<string, NatsServer>();
  const paused = new Set<string>();
  const down = new Set<string>();
  const portOf = (name: string, kind: "port" | "clusterPort") => running.get(name)?.[kind] ?? 1;

  const start = async (name: (typeof names)[number]) => {
    const routes = [`"nats://${NOWHERE}"`]; // JetStream requires a route, even for the server that connects to no other server
    // Only one of two servers connects to the other. If both did, they would close one of the two connections, and
    // one server would seem offline for a moment.
    for (const to of names.slice(0, names.indexOf(name))) {
      const gate = await wires.openGate({ from: name, to }, () => portOf(to, "clusterPort"));
      routes.push(`"nats://127.0.0.1:${gate.port}"`);
    }
    running.set(
      name,
      await startNatsServer({
        config: `server_name: ${name}
http: "127.0.0.1:-1"
cluster { name: test, listen: "127.0.0.1:-1", advertise: "${NOWHERE}", no_advertise: true, routes: [${routes.join(", ")}] }`,
      }),
    );
  };
  const get = (name: string) => {
    const server = running.get(name);
    if (server === undefined) throw new Error(`no server ${name}; there are ${names.join(", ")}`);
    return server;
  };
  const isUp = (name: string) => !paused.has(name) && !down.has(name);

  async function askServer<T>(name: string, path: string): Promise<T | undefined> {
    if (!isUp(name)) return undefined;
    try {
      const url = `http://127.0.0.1:${get(name).monitorPort}${path}`;
      const response = await fetch(url, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
      return (await response.json()) as T;
    } catch {
      return undefined;
    }
  }

  /** The stream's group as each server reports it. Only the stream's leader knows the progress of the other copies. */
  async function viewStream(stream: string): Promise<StreamGroup[]> {
    const views = await Promise.all(names.map((name) => askServer<JetStreamView>(name, "/jsz?streams=true")));
    return views.flatMap((view) => {
      const streams = view?.account_details?.flatMap((account) => account.stream_detail ?? []) ?? [];
      return streams.find((each) => each.name === stream)?.cluster ?? [];
    });
  }

  async function isReady(): Promise<boolean> {
    const views = await Promise.all(names.map((name) => askServer<JetStreamView>(name, "/jsz")));
    const groups = views.map((view) => view?.meta_cluster);
    const leaders = new Set(groups.map((cluster) => cluster?.leader));
    const followers = groups.find((cluster) => cluster?.replicas !== undefined)?.replicas ?? [];
    return (
      leaders.size === 1 &&
      !leaders.has(undefined) &&
      !leaders.has("") &&
      groups.every((cluster) => cluster?.cluster_size === names.length) &&
      followers.length === names.length - 1 &&
      followers.every(({ current, offline }) => current === true && offline !== true)
    );
  }

  /**
   * True when the server answers a JetStream API request. This needs a real request, because a new cluster routes API
   * requests later than it reports its leaders.
   */
  async function answersApi(name: string): Promise<boolean> {
    try {
      const connection = await connect({ servers: get(name).url, reconnect: false, timeout: ASK_TIMEOUT_MS });
      try {
        const manager = await jetstreamManager(connection, { timeout: ASK_TIMEOUT_MS });
        await manager.getAccountInfo();
        return true;
      } finally {
        await connection.close();
      }
    } catch {
      return false;
    }
  }

  const servers = names.map(
    (name): ClusterServer => ({
      name,
      get url() {
        return get(name).url;
      },
      get isUp() {
        return isUp(name);
      },
      async kill() {
        down.add(name);
        await get(name).kill();
        paused.delete(name);
      },
      async restart() {
        await get(name).restart();
        down.delete(name);
      },
      pause() {
        paused.add(name);
        process.kill(get(name).pid, "SIGSTOP");
      },
      resume() {
        if (paused.delete(name)) process.kill(get(name).pid, "SIGCONT");
      },
    }),
  );

  const cluster: NatsCluster = {
    servers,
    wires,
    async clientUrl(client) {
      const ways = names.map((to) => wires.openGate({ from: client, to }, () => portOf(to, "port")));
      return (await Promise.all(ways)).map(({ port }) => `nats://127.0.0.1:${port}`).join(",");
    },
    async streamLeader(stream) {
      const votes = (await viewStream(stream)).flatMap(({ leader = "" }) => (leader === "" ? [] : [leader]));
      return votes.find((vote, index) => votes.indexOf(vote) !== index) ?? votes[0];
    },
    async inSync(stream) {
      const isCurrent = ({ leader, replicas = [] }: StreamGroup) =>
        leader !== undefined &&
        leader !== "" &&
        replicas.length === names.length - 1 &&
        replicas.every(({ current, offline, lag = 0 }) => current === true && offline !== true && lag === 0);
      const giveUpMs = Date.now() + READY_TIMEOUT_MS;
      while (!(await viewStream(stream)).some(isCurrent)) {
        if (Date.now() > giveUpMs)
          throw new Error(`the copies of ${stream} were not equal within ${READY_TIMEOUT_MS} ms`);
        await sleep(POLL_MS);
      }
    },
    server(name) {
      const found = servers.find((each) => each.name === name);
      if (found === undefined) throw new Error(`no server ${name}; there are ${names.join(", ")}`);
      return found;
    },
    async ready() {
      wires.heal();
      for (const server of servers) {
        server.resume();
        if (down.has(server.name)) await server.restart();
      }
      const giveUpMs = Date.now() + READY_TIMEOUT_MS;
      const isAnswering = async () => (await Promise.all(names.map(answersApi))).every((answers) => answers);
      while (!((await isReady()) && (await isAnswering()))) {
        if (Date.now() > giveUpMs) throw new Error(`the cluster was not ready within ${READY_TIMEOUT_MS} ms`);
        await sleep(POLL_MS);
      }
    },
    async stop() {
      for (const server of servers) server.resume();
      await Promise.all([...running.values()].map((server) => server.stop()));
      wires.close();
    },
  };
  try {
    await Promise.all(names.map(start));
    await cluster.ready();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** The part of /jsz that this file reads. */
interface JetStreamView {
  meta_cluster?: {
    leader?: string;
    cluster_size?: number;
    replicas?: Replica[];
  };
  account_details?: { stream_detail?: { name: string; cluster?: StreamGroup }[] }[];
}

interface StreamGroup {
  leader?: string;
  replicas?: Replica[];
}

interface Replica {
  name: string;
  current?: boolean;
  offline?: boolean;
  /** The number of entries that this copy does not have yet. */
  lag?: number;
}

/** Both directions between one server of a cluster and each other server. */
export function around(cluster: NatsCluster, name: string): Direction[] {
  return cluster.servers
    .filter((other) => other.name !== name)
    .flatMap((other) => [
      { from: name, to: other.name },
      { from: other.name, to: name },
    ]);
}
