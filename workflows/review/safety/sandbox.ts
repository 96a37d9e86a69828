// Finds out, once for a review, how the analysers' programs can be confined here. A tiny program tries to write and to connect inside
// of each sandbox; a sandbox counts only for the attempts that failed. Nothing is written: the program asks the system whether the
// directory is on a read-only mount.
import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import {
  analysersDirectory,
  confine,
  findSandboxes,
  oneLine,
  SANDBOX_NAMES,
  type Sandbox,
  surroundingsOf,
} from "../../../agents/lib/review/index.ts";

/** A measure of protection: had, and the program that gives it; or missing, and the reason. */
export type Measure = { had: true; by: Sandbox["by"] } | { had: false; why: string };

/** The protection of the analysers' programs in a review. */
export interface Protection {
  /** The program that confines them; null when none works here. */
  sandbox: Sandbox | null;
  /** They can write nowhere but into folders of their own that end with them. */
  readOnly: Measure;
  /** They reach no other process over a network, not even on this machine. */
  noNetwork: Measure;
}

/** The outcome of one attempt: the error codes, null for an attempt that succeeded; or the failure of the sandbox itself. */
export type Attempt = { write: string | null; socket: string | null } | { failed: string };

/** The time limit of one attempt, in ms. It takes 60 ms on a quiet machine. */
const PROBE_TIMEOUT_MS = 10_000;
/** The most output of an attempt, in bytes. */
const PROBE_OUTPUT_BYTES = 64 * 1024;

/** Asks whether the directory is writable, and connects to the port. Prints the codes of the errors as JSON. */
const PROBE = `
const [directory, port] = process.argv.slice(1);
let write = null;
try { require("node:fs").accessSync(directory, 2); } catch (error) { write = error.code ?? "error"; }
const end = (socket) => { process.stdout.write(JSON.stringify({ write, socket })); process.exit(0); };
require("node:net").connect(Number(port), "127.0.0.1")
  .on("connect", () => end(null)).on("error", (error) => end(error.code ?? "error"));
`;

/** No sandbox was asked for: a review that a program runs with its own agents. */
export const NOT_ASKED: Protection = withoutSandbox("the caller of the review asked for no sandbox");

/**
 * Tries the sandboxes of this system, the stronger first, until one has both measures. Never rejects for a sandbox that does not
 * work. `sandboxes`: default those of the system.
 * @throws the signal's reason when it aborts.
 */
export async function probeSandbox(options: {
  /** The reviewed directory, absolute, without links. */
  directory: string;
  sandboxes?: readonly Sandbox[] | undefined;
  signal?: AbortSignal | undefined;
}): Promise<Protection> {
  const { sandboxes = findSandboxes(), signal } = options;
  if (process.platform !== "linux") return withoutSandbox(`${process.platform} has none that Murmur knows`);
  const attempts: { sandbox: Sandbox; attempt: Attempt }[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  try {
    await listen(server);
    const { port } = server.address() as AddressInfo;
    for (const sandbox of sandboxes) {
      signal?.throwIfAborted();
      const told = await tryOut(sandbox, { directory: options.directory, port, signal });
      // The word of the confined program is not enough.
      const attempt = "socket" in told && connections > 0 ? { ...told, socket: null } : told;
      attempts.push({ sandbox, attempt });
      if (isWhole(attempt)) break;
      connections = 0;
    }
  } finally {
    server.close();
  }
  signal?.throwIfAborted();
  return judgeSandboxes(attempts);
}

/** Chooses the sandbox of a review: the first with both measures, else the first with one. Pure. */
export function judgeSandboxes(attempts: readonly { sandbox: Sandbox; attempt: Attempt }[]): Protection {
  const best =
    attempts.find(({ attempt }) => isWhole(attempt)) ??
    attempts.find(({ attempt }) => isReadOnly(attempt) || hasNoNetwork(attempt));
  const why = SANDBOX_NAMES.map((name) => {
    const found = attempts.find(({ sandbox }) => sandbox.by === name);
    if (found === undefined) return `${name} is not installed`;
    const { attempt } = found;
    return "failed" in attempt ? `${name} does not work here (${attempt.failed})` : null;
  })
    .filter((reason) => reason !== null)
    .join("; ");
  const measure = (isHad: (attempt: Attempt) => boolean, missing: string): Measure =>
    best !== undefined && isHad(best.attempt)
      ? { had: true, by: best.sandbox.by }
      : { had: false, why: why || missing };
  return {
    sandbox: best?.sandbox ?? null,
    readOnly: measure(isReadOnly, "the sandbox leaves the directory writable"),
    noNetwork: measure(hasNoNetwork, "the sandbox leaves the network open"),
  };
}

/** EROFS only: a directory that the user may not write anyway proves nothing about the sandbox. */
const isReadOnly = (attempt: Attempt) => "write" in attempt && attempt.write === "EROFS";
const hasNoNetwork = (attempt: Attempt) => "socket" in attempt && attempt.socket !== null;
const isWhole = (attempt: Attempt) => isReadOnly(attempt) && hasNoNetwork(attempt);

function withoutSandbox(why: string): Protection {
  return { sandbox: null, readOnly: { had: false, why }, noNetwork: { had: false, why } };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
}

/** Runs the probe as the analysers will run: the same sandbox, directory and program. */
function tryOut(
  sandbox: Sandbox,
  { directory, port, signal }: { directory: string; port: number; signal?: AbortSignal | undefined },
): Promise<Attempt> {
  const around = surroundingsOf([directory, realpathSync(analysersDirectory())]);
  const node = [process.execPath, "--input-type=commonjs", "-e", PROBE, directory, String(port)] as const;
  const [program, ...args] = confine(sandbox, around, node);
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      {
        cwd: directory,
        env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
        timeout: PROBE_TIMEOUT_MS,
        maxBuffer: PROBE_OUTPUT_BYTES,
        killSignal: "SIGKILL",
        ...(signal === undefined ? {} : { signal }),
      },
      (error, stdout, stderr) => resolve(error === null ? readAttempt(stdout) : failed(stderr, error)),
    );
  });
}

function readAttempt(stdout: string): Attempt {
  const [, write, socket] = /^\{"write":(null|"\w+"),"socket":(null|"\w+")\}$/.exec(stdout) ?? [];
  if (write === undefined || socket === undefined) return { failed: "its program printed no answer" };
  return { write: JSON.parse(write) as string | null, socket: JSON.parse(socket) as string | null };
}

function failed(stderr: string, error: Error): Attempt {
  const line = stderr.split("\n").find((each) => each.trim() !== "") ?? error.message;
  return { failed: oneLine(line.replace(/^(?:bwrap|unshare): /, "")) };
}
