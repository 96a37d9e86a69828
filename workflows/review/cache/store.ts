// The entries of the cache on disk: one file each, in the user's cache folder. Owns their form, their bound and their removal.
// Leaves the meaning of keys and values to results.ts.
// I1: a reader sees a whole entry or none: an entry is written beside its place, and then renamed.
// I2: an entry that is damaged or has another form is a miss.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tryJson } from "../../../src/base/index.ts";

/** The most bytes of all entries. A review of 1,000 files has about 1 MB, so about 200 states of such a repository fit. */
export const MAX_CACHE_BYTES = 200 * 1024 * 1024;
/** The largest entry that is written, in bytes: 64 answers of the size of an inline result. */
const MAX_ENTRY_BYTES = 32 * 1024 * 1024;
/** The age of a temporary file whose writer has certainly ended. */
const ABANDONED_MS = 3_600_000;

/** Reads and writes entries. Problems of the disk are told to `debug` and cost speed only. */
export class EntryStore {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #debug: (message: string) => void;

  /** `folder`: absolute; it is made at the first write. `maxBytes`: default {@link MAX_CACHE_BYTES}. */
  constructor(options: { folder: string; maxBytes?: number; debug: (message: string) => void }) {
    this.#folder = options.folder;
    this.#maxBytes = options.maxBytes ?? MAX_CACHE_BYTES;
    this.#debug = options.debug;
  }

  /** Returns the value of a key (hex); undefined when there is none that can be read. */
  async get(key: string): Promise<unknown> {
    const file = this.#fileOf(key);
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch {
      return undefined;
    }
    const sum = text.slice(0, SUM_CHARACTERS);
    const body = text.slice(SUM_CHARACTERS + 1);
    const value = sum === sumOf(body) ? tryJson(body) : undefined;
    if (value === undefined) {
      this.#debug(`cache entry ${key} is damaged; its task runs again`);
      return undefined;
    }
    // The time of the last use decides the removal.
    const now = new Date();
    await utimes(file, now, now).catch(() => undefined);
    return value;
  }

  /** Stores a value under a key. */
  async put(key: string, value: unknown): Promise<void> {
    const body = JSON.stringify(value);
    if (Buffer.byteLength(body) > MAX_ENTRY_BYTES) return;
    const file = this.#fileOf(key);
    const beside = `${file}.${process.pid}-${Math.floor(performance.now())}.tmp`;
    try {
      // For the user alone: messages of findings quote names of the code.
      await mkdir(join(file, ".."), { recursive: true, mode: 0o700 });
      await writeFile(beside, `${sumOf(body)}\n${body}`, { mode: 0o600 });
      await rename(beside, file);
    } catch (error) {
      await rm(beside, { force: true }).catch(() => undefined);
      this.#debug(`cache entry ${key} not stored: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Removes the entries that were not used for the longest time, until the others fit into the bound. */
  async trim(): Promise<void> {
    const entries = await this.#list();
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    for (const { file, bytes: size } of entries.sort((a, b) => a.usedMs - b.usedMs)) {
      if (bytes <= this.#maxBytes) return;
      // Another run may remove the same entry.
      await rm(file, { force: true }).catch(() => undefined);
      bytes -= size;
    }
  }

  async #list(): Promise<{ file: string; bytes: number; usedMs: number }[]> {
    const names = await readdir(this.#folder, { recursive: true }).catch(() => []);
    const listed: { file: string; bytes: number; usedMs: number }[] = [];
    for (const name of names) {
      const file = join(this.#folder, name);
      const facts = await stat(file).catch(() => null);
      if (facts?.isFile() !== true) continue;
      if (name.endsWith(".tmp") && Date.now() - facts.mtimeMs > ABANDONED_MS) await rm(file, { force: true });
      else listed.push({ file, bytes: facts.size, usedMs: facts.mtimeMs });
    }
    return listed;
  }

  #fileOf(key: string): string {
    return join(this.#folder, key.slice(0, 2), `${key}.json`);
  }
}

const SUM_CHARACTERS = 64;

function sumOf(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}
