// Prefills Node's compile cache of a tree, so that a process in the image loads compiled code from its read-only root.
// Node looks for an entry by the path of the file relative to the cache (NODE_COMPILE_CACHE_PORTABLE), below a folder that names the
// Node.js version, the CPU's features and the user's id. On another CPU or as another user nothing is found, and Node compiles.
// I1: equal trees get equal bytes. V8 writes strings in the order of their seeded hashes, so the seed is fixed while the cache is
//     made. The seed is a flag, and V8 refuses code that was compiled with other flags, so each entry gets the hash of the flags
//     that processes in the image run with. Strings are hashed anew when code is loaded, whatever the seed was. The code also names
//     the path of its file, so it is compiled in a copy of the tree that always has the same path.
// I2: a cache that does not count is an error of the build, never a slow start without a word.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** The variables that make a process of the image find the cache in `folder`. */
export function cacheEnvironment(folder: string): Record<string, string> {
  return { NODE_COMPILE_CACHE: folder, NODE_COMPILE_CACHE_PORTABLE: "1" };
}

/** Flags that make compiled code the same in each run (I1): the seed, and no compiled function is dropped meanwhile. */
const STEADY_FLAGS = ["--hash-seed=1", "--no-flush-bytecode"];
/**
 * The header of an entry: five numbers of 4 bytes (Node.js, src/compile_cache.cc: magic, size of the source, size of the code, hash of
 * the source, hash of the code). The compiled code follows.
 */
const NODE_HEADER_BYTES = 20;
/** The place of the code's CRC-32 in the header. */
const CODE_HASH_AT = 16;
/** The place of the flags' hash in V8's header (V8, src/snapshot/code-serializer.h: magic, version hash, source hash, flag hash). */
const FLAG_HASH_AT = NODE_HEADER_BYTES + 12;
const FLAG_HASH_BYTES = 4;
/** A build's own limit on a program that loads all modules: it takes 1 s, on a busy machine 10. */
const LOAD_LIMIT_MS = 120_000;

/** The longest time that a build has the folder of the copy, in ms: it loads the modules three times. */
const COPY_LIMIT_MS = 3 * LOAD_LIMIT_MS;
const COPY_POLL_MS = 200;
/** Marks a package among the modules. */
const REQUIRED = "require:";
/**
 * Loads modules as the processes of the image do, and writes the cache. It is a script: an evaluated module would have an entry of its
 * own, whose name depends on the folder of the tree.
 */
const LOADER = `
const { createRequire, flushCompileCache } = require("node:module");
const [node, program, ...modules] = process.argv;
process.argv = [node, program, "--version"];
(async () => {
  for (const path of modules) {
    if (path.startsWith("${REQUIRED}")) createRequire(program)(path.slice("${REQUIRED}".length));
    else await import(path);
  }
  await import(program);
  flushCompileCache();
  process.exit(0);
})();
`;
/** The most runs that look whether Node accepts each entry. */
const MAX_LOOKS = 4;
/** Node's own word on each entry that it loads. */
const ACCEPTED = /V8 code cache for (.*) was accepted/g;
const NOT_USED = /V8 code cache for .* was rejected.*|reading cache from .*\.\.\. (?!success).*/g;

/**
 * Fills the folder `cache` of `tree` with the code of `modules` and of `program`, for processes of the user `uid`. All are paths in the
 * tree; `require:<name>` is a package that `program` can require.
 * @returns the number of entries.
 * @throws Error when a module does not load, or Node does not accept an entry (I2).
 */
export function prefillCompileCache(options: {
  tree: string;
  program: string;
  modules: readonly string[];
  cache: string;
  uid: number;
}): number {
  const { tree, program, modules, cache, uid } = options;
  const loadIn = (folder: string) => {
    const paths = modules.map((path) => (path.startsWith(REQUIRED) ? path : join(folder, path)));
    return ["--input-type=commonjs", "--eval", LOADER, "--", join(folder, program), ...paths];
  };
  const scratch = takeFolder();
  try {
    const copy = join(scratch, "tree");
    rmSync(join(tree, cache), { recursive: true, force: true });
    cpSync(tree, copy, { recursive: true });
    run([...STEADY_FLAGS, ...loadIn(copy)], cacheEnvironment(join(copy, cache)));
    const usual = readUsualCache(scratch);
    const own = join(tree, cache, usual.folder);
    const made = join(copy, cache, onlyEntry(join(copy, cache)));
    mkdirSync(own, { recursive: true });
    const entries = readdirSync(made).sort();
    for (const file of entries) {
      writeFileSync(join(own, file), withFlagHash(readFileSync(join(made, file)), usual.flagHash));
    }

    // The program loads some modules by itself while it ends, so that one run may load more than another.
    const accepted = new Set<string>(); // a module that is both imported and required is named twice
    let refused: string[] = [];
    for (
      let tries = 1;
      accepted.size < entries.length && refused.length === 0 && tries <= MAX_LOOKS;
      tries++
    ) {
      const told = run(loadIn(tree), {
        ...cacheEnvironment(join(tree, cache)),
        NODE_DEBUG_NATIVE: "COMPILE_CACHE",
      });
      for (const line of told.match(ACCEPTED) ?? []) accepted.add(line);
      refused = told.match(NOT_USED) ?? [];
    }
    if (
      accepted.size !== entries.length ||
      refused.length > 0 ||
      readdirSync(own).length !== entries.length
    ) {
      throw new Error(
        `this Node.js (${process.version}) accepts ${accepted.size} of ${entries.length} entries of the compile cache; build the image with the Node.js of the checkout. ${refused[0] ?? ""}`,
      );
    }
    renameSync(own, join(tree, cache, usual.folder.replace(/-\d+$/, `-${uid}`)));
    return entries.length;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** An entry as a process with the usual flags would have written it (I1). */
function withFlagHash(entry: Buffer, flagHash: Buffer): Buffer {
  flagHash.copy(entry, FLAG_HASH_AT);
  entry.writeUInt32LE(crc32(entry.subarray(NODE_HEADER_BYTES)), CODE_HASH_AT);
  return entry;
}

/**
 * Makes the folder of the copy. Another build that has it ends within {@link COPY_LIMIT_MS}; a folder that is older was left by a killed
 * build.
 * @throws Error when the folder cannot be had.
 */
function takeFolder(): string {
  const folder = join(realpathSync(tmpdir()), "murmur-image-cache");
  const endMs = Date.now() + COPY_LIMIT_MS;
  for (;;) {
    try {
      mkdirSync(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || Date.now() > endMs) throw error;
    }
    const changedMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - changedMs > COPY_LIMIT_MS) rmSync(folder, { recursive: true, force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, COPY_POLL_MS);
  }
}

/** The name of the folder and the hash of the flags that a process without {@link STEADY_FLAGS} uses. */
function readUsualCache(scratch: string): { folder: string; flagHash: Buffer } {
  const cache = join(scratch, "cache");
  const file = join(scratch, "probe.cjs");
  writeFileSync(file, "module.exports = 1;\n");
  run([file], cacheEnvironment(cache));
  const folder = onlyEntry(cache);
  const entry = readFileSync(join(cache, folder, onlyEntry(join(cache, folder))));
  return { folder, flagHash: entry.subarray(FLAG_HASH_AT, FLAG_HASH_AT + FLAG_HASH_BYTES) };
}

/** Runs Node with these flags and arguments, without the settings of the caller; returns its output. */
function run(args: readonly string[], environment: Record<string, string>): string {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    env: environment,
    cwd: tmpdir(), // evaluated code has an address in the working directory, which modules that it imports keep
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    timeout: LOAD_LIMIT_MS,
  });
  if (status !== 0) {
    throw new Error(`node ${args.slice(0, 2).join(" ")} failed: ${error?.message ?? stderr.slice(0, 2_000)}`);
  }
  return `${stdout}${stderr}`;
}

function onlyEntry(folder: string): string {
  const [entry, ...more] = readdirSync(folder);
  if (entry === undefined || more.length > 0) throw new Error(`expected one entry in ${folder}`);
  return entry;
}
