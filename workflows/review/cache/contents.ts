// The contents of the reviewed files, as hashes. The review asks for a file several times; it is read once.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { namesJsxFactory, stateOf } from "../../../agents/lib/review/index.ts";
import type { ScannedFile } from "../scan.ts";

/** The most files that are read at the same time: enough to keep a disk busy, and far below any limit of descriptors. */
const READS_AT_ONCE = 32;
/** Files that decide how analysers read other files: their configuration, compilers' settings, ignore lists. */
const CONFIGURATION =
  /(?:^|\/)(?:\.?(?:oxlint|biome|eslint|prettier)[^/]*|\.gitignore|\.gitattributes|\.npmrc|\.swcrc|\.babelrc[^/]*|package\.json|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|deno\.lock|tsconfig[^/]*\.json|jsconfig[^/]*\.json|deno\.jsonc?|pnpm-workspace\.yaml|murmur-review\.ya?ml)$/;

/** Hashes the files of one directory. */
export class Contents {
  readonly #directory: string;
  readonly #files: readonly ScannedFile[];
  readonly #hashes = new Map<string, Promise<string>>();
  #configuration: Promise<string> | undefined;
  #all: Promise<string> | undefined;

  /**
   * `directory`: absolute. `files`: all files of the review. `isFresh`: true reads every file now; otherwise the contents that the scan
   * has read count.
   */
  constructor(directory: string, files: readonly ScannedFile[], { isFresh }: { isFresh: boolean }) {
    this.#directory = directory;
    this.#files = files;
    if (isFresh) return;
    for (const { path, contents } of files) {
      if (contents !== undefined) this.#hashes.set(path, Promise.resolve(contents.sha256));
    }
  }

  /** The hash of the names and contents of some files, in their order. */
  async of(files: readonly string[]): Promise<string> {
    const hash = createHash("sha256");
    for (let at = 0; at < files.length; at += READS_AT_ONCE) {
      const part = files.slice(at, at + READS_AT_ONCE);
      const sums = await Promise.all(part.map((file) => this.#sumOf(file)));
      for (const [index, file] of part.entries()) hash.update(`${JSON.stringify(file)} ${sums[index]}\n`);
    }
    return hash.digest("hex");
  }

  /** The hash of the files that configure analysers. */
  configuration(): Promise<string> {
    const files = this.#files
      .map(({ path }) => path)
      .filter((path) => CONFIGURATION.test(path) || namesJsxFactory(path));
    this.#configuration ??= this.of(files);
    return this.#configuration;
  }

  /**
   * The states of files beside those of the review, by the file system: they may be large, and a state that differs only makes a miss.
   */
  statesOf(files: readonly string[]): string {
    const reviewed = new Set(this.#files.map(({ path }) => path));
    const hash = createHash("sha256");
    for (const file of files) {
      if (!reviewed.has(file))
        hash.update(`${JSON.stringify(file)} ${stateOf(join(this.#directory, file))}\n`);
    }
    return hash.digest("hex");
  }

  /**
   * The hash of all files. Installed packages count by the time of the last install: an analyser looks some of them up, and
   * reading them all would take longer than the review.
   */
  all(): Promise<string> {
    this.#all ??= this.#hashAll();
    return this.#all;
  }

  async #hashAll(): Promise<string> {
    const files = this.#files.map(({ path }) => path);
    const folders = files.filter((path) => /(?:^|\/)package\.json$/.test(path)).map((path) => dirname(path));
    const installs = await Promise.all(
      folders.map(async (folder) => {
        const facts = await stat(join(this.#directory, folder, "node_modules")).catch(() => null);
        return `${folder} ${facts?.mtimeMs ?? "none"}`;
      }),
    );
    return createHash("sha256")
      .update(await this.of(files))
      .update(JSON.stringify(installs))
      .digest("hex");
  }

  #sumOf(file: string): Promise<string> {
    const known = this.#hashes.get(file);
    if (known !== undefined) return known;
    const sum = readFile(join(this.#directory, file)).then(
      (bytes) => createHash("sha256").update(bytes).digest("hex"),
      // The analysers tell why a file cannot be read. It may be readable next time, so it gets no lasting name.
      () => `unreadable ${performance.now()}`,
    );
    this.#hashes.set(file, sum);
    return sum;
  }
}
