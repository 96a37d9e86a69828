// The files of a local swarm: `swarm.json` (its processes with pid and start time) and the lock that allows one supervisor for
// a data directory. Every command that looks for the swarm of a directory reads them.
// I1: at most one living process holds the lock of a directory. The lock is a file with the identity of its holder, linked into
//     place as a whole. A process that finds the lock of a dead holder moves it aside, and puts it back when the moved file
//     turns out to be another process's lock.
// I2: swarm.json is replaced as a whole: a reader sees the old file or the new one.
import { linkSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { newId } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { identify, isAlive, ownerOf, type ProcessIdentity } from "./identity.ts";

const processSchema = z.object({
  role: z.string(),
  name: z.string(),
  pid: z.int(),
  /** Boot id and start time, see {@link ProcessIdentity}. */
  started: z.string(),
  /** The URL of its /metrics; null for nats-server. */
  metrics: z.string().nullable(),
  status: z.enum(["starting", "running", "restarting", "stopping", "failed"]),
  /** The time of its start, Unix ms; null for a process that does not run. */
  startedAtMs: z.number().nullable().default(null),
  restarts: z.int(),
  /** The exit of its previous run, after a restart or a failure. */
  lastExit: z.string().nullable(),
});

const stateSchema = z.object({
  version: z.literal(1),
  supervisor: z.object({ pid: z.int(), started: z.string() }),
  /** The version of Murmur that the supervisor runs; empty for a supervisor from before this field. */
  program: z.string().default(""),
  /** The socket of the supervisor for other commands; null for a supervisor from before this field. */
  control: z.string().nullable().default(null),
  ready: z.boolean(),
  prefix: z.string(),
  server: z.string(),
  http: z.string(),
  /** The permissions file of a swarm with permissions, and the folder with the keys of its users. */
  permissions: z.object({ file: z.string(), keys: z.string() }).nullable().default(null),
  processes: z.array(processSchema),
});

/** The state of a local swarm. */
export type SwarmState = z.output<typeof stateSchema>;
/** One process of a local swarm. */
export type ProcessRecord = z.output<typeof processSchema>;

/** The file with the accounts of a server with permissions, beside its configuration. */
export const NATS_ACCOUNTS = "nats-accounts.conf";

/** The files of a data directory. */
export function dataFiles(dataDir: string) {
  const root = resolve(dataDir);
  return {
    root,
    state: join(root, "swarm.json"),
    wanted: join(root, "wanted.json"),
    lock: join(root, "supervisor.lock"),
    control: join(root, "control.sock"),
    logs: join(root, "logs"),
    nats: join(root, "nats"),
    natsConfig: join(root, "nats.conf"),
    natsAccounts: join(root, NATS_ACCOUNTS),
    keys: join(root, "keys"),
  };
}

/** The state of the swarm of a data directory, whether the swarm still runs or not; null when there is no state. */
export function readState(dataDir: string): SwarmState | null {
  let text: string;
  try {
    text = readFileSync(dataFiles(dataDir).state, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
  let parsed: z.ZodSafeParseResult<SwarmState>;
  try {
    parsed = stateSchema.safeParse(JSON.parse(text));
  } catch {
    parsed = stateSchema.safeParse(undefined);
  }
  if (parsed.success) return parsed.data;
  throw new SwarmError(
    "internal",
    `${dataFiles(dataDir).state} is not the state of a swarm of this version; if no swarm runs there, remove the file`,
  );
}

/** The state of the swarm of a data directory when its supervisor lives and all processes are ready; else null. */
export function readRunningSwarm(dataDir: string): SwarmState | null {
  const state = readState(dataDir);
  return state?.ready === true && isAlive(state.supervisor) ? state : null;
}

/** The largest state that is read from a directory that is not trusted, in bytes: a swarm of the most processes has 100 KB. */
const MAX_STATE_BYTES = 1024 * 1024;

/**
 * The running swarm of a data directory that may be a stranger's: null also for a state that another user could have written,
 * that is no regular file, or that does not parse. A state from a checkout cannot name the boot id and start time of a living
 * process of this user.
 */
export function readOwnRunningSwarm(dataDir: string): SwarmState | null {
  const facts = lstatSync(dataFiles(dataDir).state, { throwIfNoEntry: false });
  const isOwn = facts?.isFile() === true && facts.uid === process.getuid?.() && (facts.mode & 0o022) === 0;
  if (!isOwn || facts.size > MAX_STATE_BYTES) return null;
  try {
    const state = readRunningSwarm(dataDir);
    return state !== null && ownerOf(state.supervisor.pid) === process.getuid?.() ? state : null;
  } catch {
    return null;
  }
}

/** Replaces the state (I2). Only the owner may read the file, because it names the addresses of the swarm. */
export function writeState(dataDir: string, state: SwarmState): void {
  const { state: file } = dataFiles(dataDir);
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}

/** Removes the state. */
export function removeState(dataDir: string): void {
  rmSync(dataFiles(dataDir).state, { force: true });
}

/** A held lock. */
export interface Lock {
  /** False when another process moved the lock away (the last defence of I1): the holder must stop. */
  isHeld(): boolean;
  release(): void;
}

/** Takes the lock of a data directory, or returns its living holder. */
export function takeLock(dataDir: string): Lock | { holder: ProcessIdentity } {
  const { lock, root } = dataFiles(dataDir);
  mkdirSync(root, { recursive: true });
  return takeFileLock(lock);
}

/** Takes the lock `lock`, a file in a folder that exists, or returns its living holder. */
export function takeFileLock(lock: string): Lock | { holder: ProcessIdentity } {
  const mine = identify(process.pid);
  if (mine === null)
    throw new Error("expected this process in the process table, but it is not there; is /proc mounted?");
  const content = JSON.stringify({ ...mine, nonce: newId() });
  // The second round follows when the lock of a dead holder was moved aside; the third when another process was faster.
  for (let round = 0; round < 3; round++) {
    const whole = `${lock}.${newId()}`;
    writeFileSync(whole, content, { mode: 0o600 });
    try {
      linkSync(whole, lock);
      return {
        isHeld: () => readLock(lock) === content,
        release: () => {
          if (readLock(lock) === content) rmSync(lock, { force: true });
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(whole, { force: true });
    }
    const found = readLock(lock);
    const holder = holderOf(found);
    if (holder !== null && isAlive(holder)) return { holder };
    moveAside(lock, found);
  }
  throw new SwarmError(
    "conflict",
    `several processes take the lock ${lock} at the same time; run the command again`,
  );
}

/** The living holder of the lock, or null. */
export function readLockHolder(dataDir: string): ProcessIdentity | null {
  const holder = holderOf(readLock(dataFiles(dataDir).lock));
  return holder !== null && isAlive(holder) ? holder : null;
}

function readLock(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function holderOf(content: string | null): ProcessIdentity | null {
  try {
    const { pid, started } = JSON.parse(content ?? "") as ProcessIdentity;
    return Number.isInteger(pid) && typeof started === "string" ? { pid, started } : null;
  } catch {
    return null;
  }
}

function moveAside(lock: string, expected: string | null): void {
  const aside = `${lock}.${newId()}`;
  try {
    renameSync(lock, aside);
    if (readLock(aside) !== expected) linkSync(aside, lock);
  } catch (error) {
    if (!["ENOENT", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
