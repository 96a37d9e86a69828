// The package as users get it, for tests: built and packed once for the sources as they are, in a folder below .murmur/build that
// all test files share. Tests copy or unpack it, and change nothing in it.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative, sep } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "../..");
const builds = join(root, ".murmur/build");

/** The files and folders that the package is made from. */
const SOURCES = [
  ...["src", "agents", "workflows", "docs/review/kinds", "console", "tools/build"],
  ...["README.md", "LICENSE", "CHANGELOG.md", "package.json", "package-lock.json", "tsconfig.json"],
];
/** A lock that is older than this was left by a killed process, in ms: a build takes 10 s, on a busy machine up to a minute. */
const LOCK_LIMIT_MS = 240_000;
/** The look for the end of another process's build, in ms. */
const LOOK_EVERY_MS = 200;
/** A package of other sources stays this long, in ms: a run of the tests may still use it. */
const KEPT_MS = 3_600_000;

/** A built package. */
export interface BuiltPackage {
  /** Its files, as npm would unpack them. */
  readonly folder: string;
  /** Its tarball, `murmur-swarm-<version>.tgz`. */
  readonly tarball: string;
}

/**
 * Builds the package of the present sources, unless a test has done so; waits while another process builds it.
 * @throws Error when the build fails.
 */
export async function providePackage(): Promise<BuiltPackage> {
  const home = join(builds, `package-${hashSources()}`);
  const lock = `${home}.lock`;
  mkdirSync(builds, { recursive: true });
  while (!existsSync(home)) {
    if (!takeLock(lock)) {
      await setTimeout(LOOK_EVERY_MS);
      continue;
    }
    try {
      // Another process may have finished between the look and the lock.
      if (!existsSync(home)) await build(home);
    } finally {
      rmSync(lock, { force: true });
    }
  }
  removeOld(home);
  const tarball = readdirSync(home).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined)
    throw new Error(`${home} has no tarball: remove the folder and run the test again`);
  return { folder: join(home, "dist"), tarball: join(home, tarball) };
}

/** Builds beside `home` and renames the folder at the end, so that `home` is whole when it exists. */
async function build(home: string): Promise<void> {
  const unfinished = `${home}.${process.pid}`;
  mkdirSync(unfinished);
  try {
    const program = join(root, "tools/build/build.ts");
    // The types of the sources are a check of their own in `./murmur test`.
    const args = ["--unchecked", "--out", join(unfinished, "dist"), "--pack", "--to", unfinished];
    await promisify(execFile)(process.execPath, [program, ...args]);
    renameSync(unfinished, home);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** A hash over the paths and the content of the package's sources. */
function hashSources(): string {
  const hash = createHash("sha256");
  for (const source of SOURCES) {
    for (const file of listFiles(join(root, source))) {
      hash
        .update(`${relative(root, file)}\0`)
        .update(readFileSync(file))
        .update("\0");
    }
  }
  return hash.digest("hex").slice(0, 16);
}

function listFiles(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const at = `${path}${sep}${entry.name}`;
      if (entry.isDirectory()) return listFiles(at);
      return entry.isFile() ? [at] : [];
    });
}

function takeLock(lock: string): boolean {
  const left = statSync(lock, { throwIfNoEntry: false });
  if (left !== undefined && Date.now() - left.mtimeMs > LOCK_LIMIT_MS) rmSync(lock, { force: true });
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    return false;
  }
}

/** Removes the packages of other sources that no run can still use. */
function removeOld(home: string): void {
  for (const name of readdirSync(builds)) {
    const at = join(builds, name);
    if (!name.startsWith("package-") || at.startsWith(home)) continue;
    if (Date.now() - statSync(at).mtimeMs > KEPT_MS) rmSync(at, { recursive: true, force: true });
  }
}
