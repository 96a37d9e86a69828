// The door of a running supervisor for commands on the same machine: a Unix socket with one JSON request a connection, and JSON
// lines as the answer: any number of steps, then one outcome. swarm.json names the socket.
// I1: only the user of the swarm may connect: the socket's mode is 0600, its name is in a file with the same mode.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { createService, type Logger, type Service, tryJson } from "../../../base/index.ts";
import { fromWire, SwarmError, toSwarmError, type WireError } from "../../../protocol/index.ts";
import type { Difference, SettingView } from "../wanted/changes.ts";
import type { Asked } from "../wanted/wanted.ts";

/** The longest path of a Unix socket, in bytes: 104 on macOS and 108 on Linux, with the closing zero. */
const MAX_SOCKET_PATH_BYTES = 103;
/** A request is a few KiB: the settings and the files of the roles. */
const MAX_CONTROL_BYTES = 1024 * 1024;

/** How often the supervisor tells a waiting caller that it works on the request, in ms. A restart may take minutes. */
const ALIVE_INTERVAL_MS = 3_000;
/** How long a caller waits for any line, in ms: a supervisor that is stopped or hangs misses several. */
const SILENCE_LIMIT_MS = 20_000;

/** A request of a command to the supervisor. */
export type ControlRequest =
  | {
      readonly type: "up";
      readonly asked: Asked;
      /** Watch the files of the roles from now on. */
      readonly watch: boolean;
      /** The agent file of each known role. */
      readonly roleFiles: Readonly<Record<string, string>>;
      readonly settings: Readonly<Record<string, SettingView>>;
      /** The mark of the server that the caller names; null when it names none. */
      readonly joined: string | null;
      /** The caller's own program. */
      readonly program: { readonly version: string; readonly hash: string };
    }
  | {
      readonly type: "restart";
      /** Roles and names of processes; empty: all but nats-server. */
      readonly names: readonly string[];
      readonly roleFiles: Readonly<Record<string, string>>;
    };

/** The answer to `up`. */
export interface UpAnswer {
  /** The changes that were made, for people: `started echo-2`. */
  readonly changes: readonly string[];
  readonly differences: readonly Difference[];
}

/** The answer to `restart`: the names of the restarted processes. */
export interface RestartAnswer {
  readonly restarted: readonly string[];
}

type Line = { alive: true } | { step: string } | { done: unknown } | { error: WireError };

/** Serves requests, one at a time, in the order of their arrival. */
export function createControl(options: {
  /** The preferred path; a path of the system's temporary directory replaces a path that is too long. */
  path: string;
  log: Logger;
  /** Performs a request. `onStep` shows the caller a step. */
  perform: (request: ControlRequest, onStep: (step: string) => void) => Promise<unknown>;
}): Service & { readonly path: string } {
  const { log, perform } = options;
  const isLong = Buffer.byteLength(options.path) > MAX_SOCKET_PATH_BYTES;
  const path = isLong ? join(mkdtempSync(join(tmpdir(), "murmur-")), "control.sock") : options.path;
  const sockets = new Set<Socket>();
  let server: Server | undefined;

  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // A caller that leaves does not stop its request: a half-made change would be worse.
    socket.on("error", () => undefined);
    let text = "";
    let isTaken = false;
    const say = (line: Line) => {
      if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
    };
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      if (isTaken) return;
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0) {
        if (text.length > MAX_CONTROL_BYTES) socket.destroy();
        return;
      }
      isTaken = true;
      void answer(text.slice(0, end), say).finally(() => socket.end());
    });
  };

  async function answer(line: string, say: (line: Line) => void): Promise<void> {
    const timer = setInterval(() => say({ alive: true }), ALIVE_INTERVAL_MS);
    try {
      const request = JSON.parse(line) as ControlRequest;
      say({ done: await perform(request, (step) => say({ step })) });
    } catch (error) {
      const failure = toSwarmError(error);
      log.warn({ problem: failure.message }, "change of the swarm failed; the caller gets the error");
      say({ error: failure.toWire() });
    } finally {
      clearInterval(timer);
    }
  }

  const service = createService({
    name: "control socket",
    start: async () => {
      rmSync(path, { force: true }); // of a supervisor that died; the lock of the directory is held
      const listening = createServer(serve);
      server = listening;
      await new Promise<void>((resolve, reject) => {
        listening.once("error", reject);
        listening.listen(path, resolve);
      });
      chmodSync(path, 0o600); // I1
    },
    stop: async () => {
      server?.close();
      for (const socket of sockets) socket.destroy();
      rmSync(isLong ? dirname(path) : path, { force: true, recursive: true });
    },
  });
  return { ...service, path };
}

const lineSchema = z.union([
  z.object({ alive: z.literal(true) }),
  z.object({ step: z.string() }),
  z.object({ done: z.unknown() }),
  z.object({ error: z.object({ code: z.string(), message: z.string(), field: z.string().optional() }) }),
]);

/**
 * Sends a request to the supervisor at `path` and resolves to its answer. Aborting the signal ends the wait, not the request.
 * @throws SwarmError the supervisor's own; `unavailable` when it does not answer; the signal's reason.
 */
export function callSupervisor(
  path: string,
  request: ControlRequest,
  options: { signal: AbortSignal; onStep: (step: string) => void; silenceLimitMs?: number },
): Promise<unknown> {
  const { silenceLimitMs = SILENCE_LIMIT_MS } = options;
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(`${JSON.stringify(request)}\n`));
    let text = "";
    const settle = (act: () => void) => {
      options.signal.removeEventListener("abort", onAbort);
      socket.destroy();
      act();
    };
    const gone = (why: string, cause?: unknown) =>
      settle(() =>
        reject(
          new SwarmError("unavailable", `the supervisor does not answer (${why}); murmur doctor says more`, {
            cause,
          }),
        ),
      );
    const onAbort = () => settle(() => reject(options.signal.reason));
    if (options.signal.aborted) return onAbort();
    options.signal.addEventListener("abort", onAbort, { once: true });
    socket.setEncoding("utf8");
    socket.setTimeout(silenceLimitMs, () => gone(`it was silent for ${silenceLimitMs / 1_000} s`));
    socket.on("error", (error) => gone(error.message, error));
    socket.on("end", () => gone("it ended before its answer"));
    socket.on("data", (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const line = lineSchema.safeParse(tryJson(text.slice(0, end)));
        text = text.slice(end + 1);
        if (!line.success) return gone("its answer is of another version");
        if ("alive" in line.data) continue;
        if ("step" in line.data) options.onStep(line.data.step);
        else if ("error" in line.data) {
          const { error } = line.data;
          return settle(() => reject(fromWire(error)));
        } else {
          const { done } = line.data;
          return settle(() => resolve(done));
        }
      }
    });
  });
}
