// Real nats-server processes for tests: each has JetStream, a free port and its own store. Finds the binary, waits until
// the server is ready, and makes sure that no server outlives the test process, even when the test process is killed.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** The oldest nats-server that Murmur supports. */
const MINIMUM_VERSION = { major: 2, minor: 12 };
/** The time limit of a start. Measured: 20–60 ms alone; seconds on a loaded machine with several suites. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 10;
/** The most tries of a restart. While a server is down, the system may give its port to another connection for a moment. */
const MAX_RESTARTS = 20;
const RESTART_PAUSE_MS = 250;

/** A running server. */
export interface NatsServer {
  /** `nats://127.0.0.1:<port>`; the same after a restart. */
  readonly url: string;
  readonly port: number;
  /** The port for the other servers of its cluster; 0 without `cluster { listen: … }`. It changes with a restart. */
  readonly clusterPort: number;
  /** The port for /jsz and other monitoring pages; 0 without `http: …`. It changes with a restart. */
  readonly monitorPort: number;
  /** The id of the running process. */
  readonly pid: number;
  /** The directory with configuration, log and JetStream store. Removed by `stop`. */
  readonly dir: string;
  /** Stops it with SIGTERM and removes its directory; safe to repeat. */
  stop(): Promise<void>;
  /** Kills it with SIGKILL and resolves when it is dead; the store stays for `restart`. */
  kill(): Promise<void>;
  /** Starts it again on the same port and store. A running server is stopped first. */
  restart(): Promise<void>;
}

/** Starts a server and resolves when clients can connect. */
export async function startNatsServer(
  options: {
    /** Text appended to the configuration, for example users or limits. */
    config?: string;
    /** False: a server without JetStream. */
    jetstream?: boolean;
    /** The binary; default {@link findNatsServer}. */
    binary?: string;
  } = {},
): Promise<NatsServer> {
  const binary = options.binary ?? findNatsServer();
  const dir = mkdtempSync(join(tmpdir(), "murmur-nats-"));
  const jetstream =
    options.jetstream === false
      ? ""
      : // The server reserves stream limits against this size, so it must not depend on the machine's free disk.
        `jetstream { store_dir: ${JSON.stringify(join(dir, "store"))}, max_memory_store: 1GB, max_file_store: 1TB }\n`;
  let port = -1; // the server's value for "any free port"
  let others = { cluster: 0, monitoring: 0 };
  let running: Running | undefined;

  const start = async () => {
    const configFile = join(dir, "server.conf");
    writeFileSync(
      configFile,
      `host: "127.0.0.1"\nport: ${port}\nports_file_dir: ${JSON.stringify(dir)}\n${jetstream}${options.config ?? ""}\n`,
    );
    const started = launch(binary, configFile, join(dir, "server.log"));
    running = started;
    const ports = await readPorts(started, dir);
    port = ports.nats;
    others = ports;
  };
  const end = async (signal: NodeJS.Signals) => {
    const ending = running;
    running = undefined;
    await ending?.end(signal);
  };
  const stop = async () => {
    await end("SIGTERM");
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };

  await start().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    dir,
    get port() {
      return port;
    },
    get clusterPort() {
      return others.cluster;
    },
    get monitorPort() {
      return others.monitoring;
    },
    get url() {
      return `nats://127.0.0.1:${port}`;
    },
    get pid() {
      if (running === undefined) throw new Error("the test's nats-server does not run; call restart() first");
      return running.pid;
    },
    stop,
    kill: () => end("SIGKILL"),
    restart: async () => {
      await end("SIGTERM");
      for (let tries = 1; ; tries++) {
        try {
          return await start();
        } catch (error) {
          if (tries === MAX_RESTARTS || !(error as Error).message.includes("address already in use"))
            throw error;
          await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS));
        }
      }
    },
  };
}

/**
 * Finds the binary: `MURMUR_NATS_SERVER`; else the first nats-server of version 2.12 or newer among `nats-server` on the
 * path, the checkout's `.murmur/bin/nats-server` and `~/go/bin/nats-server`.
 * @throws Error that names the ways to get a binary, when none is found.
 */
export function findNatsServer(): string {
  const named = process.env.MURMUR_NATS_SERVER;
  if (named !== undefined && named !== "") return named;
  const checkout = join(import.meta.dirname, "..", "..");
  const candidates = [
    ...(process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "nats-server")),
    join(checkout, ".murmur", "bin", "nats-server"),
    join(homedir(), "go", "bin", "nats-server"),
  ];
  const found = candidates.find((file) => existsSync(file) && isNewEnough(file));
  if (found !== undefined) return found;
  throw new Error(
    `no nats-server ≥ ${MINIMUM_VERSION.major}.${MINIMUM_VERSION.minor} found: put one on the path, name one in ` +
      "MURMUR_NATS_SERVER, or run: go install github.com/nats-io/nats-server/v2@v2.14.5",
  );
}

function isNewEnough(binary: string): boolean {
  const version = /v(\d+)\.(\d+)\./.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }));
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  return major > MINIMUM_VERSION.major || (major === MINIMUM_VERSION.major && minor >= MINIMUM_VERSION.minor);
}

/**
 * Starts a guard that kills a process and removes a directory when this process ends. It works even after a SIGKILL of the
 * test worker, when no exit handler runs: the guard reads from a pipe that this process holds, and acts when the pipe breaks.
 */
export function guardProcess(pid: number, directory = ""): { dismiss(): void } {
  const script = 'read -r _; kill -9 "$0" 2>/dev/null; [ -z "$1" ] || rm -rf "$1"';
  const guard = spawn("/bin/sh", ["-c", script, String(pid), directory], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // a Ctrl-C at the terminal must not end the guard before its work is done
  });
  guard.unref();
  return { dismiss: () => guard.kill("SIGKILL") };
}

interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly logFile: string;
  end(signal: NodeJS.Signals): Promise<void>;
}

function launch(binary: string, configFile: string, logFile: string): Running {
  const logDescriptor = openSync(logFile, "a"); // the server reports errors of its configuration on stderr
  const child = spawn(binary, ["-c", configFile], { stdio: ["ignore", logDescriptor, logDescriptor] });
  closeSync(logDescriptor);
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${binary} could not be started`);
  child.unref();
  const guard = guardProcess(pid, dirname(configFile));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    pid,
    child,
    logFile,
    async end(signal) {
      child.ref();
      child.kill(signal);
      await exited;
      guard.dismiss();
    },
  };
}

/** Waits for the ports file and reads it. The server writes the file when it listens. */
async function readPorts(server: Running, dir: string): Promise<Ports> {
  const file = join(dir, `nats-server_${server.pid}.ports`);
  const giveUpMs = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const ports = existsSync(file) ? parsePorts(readFileSync(file, "utf8")) : undefined;
    if (ports !== undefined) return ports;
    if (server.child.exitCode !== null || server.child.signalCode !== null || Date.now() > giveUpMs) {
      await server.end("SIGKILL");
      const log = existsSync(server.logFile) ? readFileSync(server.logFile, "utf8") : "(no log)";
      throw new Error(
        `nats-server was not ready within ${START_TIMEOUT_MS} ms; its log ends:\n${log.slice(-2_000)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

interface Ports {
  nats: number;
  cluster: number;
  monitoring: number;
}

/** Reads the ports of a ports file: 0 where the server does not listen; undefined while the file is incomplete. */
function parsePorts(text: string): Ports | undefined {
  if (!text.trimEnd().endsWith("}")) return undefined;
  const urls = JSON.parse(text) as Partial<Record<keyof Ports, string[]>>;
  const portOf = (kind: keyof Ports) => Number(/:(\d+)$/.exec(urls[kind]?.[0] ?? "")?.[1] ?? 0);
  const ports = { nats: portOf("nats"), cluster: portOf("cluster"), monitoring: portOf("monitoring") };
  return ports.nats === 0 ? undefined : ports;
}
