// The build of the checkout in .murmur/build: the program as a bundle, which starts in a third of the time that the sources take.
// It is a cache: it is made anew when a source has changed, and where it cannot be made, the sources run.
// I1: a build is used only while each file that it was made from has the size and the time of change that it had before the build.
// I2: a process may load parts of its build late, so no other build takes its folder within an hour.
// I3: one process builds at a time; the others run the sources meanwhile.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

/** A lock that is older than this was left by a killed process, in ms. A build takes 1–2 s, on a busy machine up to 10. */
const LOCK_LIMIT_MS = 60_000;
/** How long a build stays at least, in ms: longer than any command that runs from a build (I2). */
const KEPT_MS = 3_600_000;
/** The files that decide how the build is made, besides its inputs. */
const TOOL_FILES = ["package.json", "package-lock.json", "tools/build/bundle.ts"];
/** The file that names the newest build. */
const CURRENT = "current.json";

/** The content of {@link CURRENT}. */
interface Stamp {
  /** The folder of the build below .murmur/build. */
  folder: string;
  /** Time of change in ms and size of each file, by its path below the root. */
  files: Record<string, [number, number]>;
}

/** The entry of the checkout's build, which is made first when it is stale; undefined when it cannot be had now. */
export async function provideBuild(root: string): Promise<string | undefined> {
  return findBuild(root) ?? (await makeBuild(root));
}

/** The entry of a build of exactly the present sources (I1). */
function findBuild(root: string): string | undefined {
  const builds = join(root, ".murmur/build");
  let stamp: Stamp;
  try {
    stamp = JSON.parse(readFileSync(join(builds, CURRENT), "utf8"));
  } catch {
    return undefined;
  }
  for (const [path, [changedMs, size]] of Object.entries(stamp.files)) {
    const stat = statSync(join(root, path), { throwIfNoEntry: false });
    if (stat === undefined || stat.mtimeMs !== changedMs || stat.size !== size) return undefined;
  }
  const entry = join(builds, stamp.folder, "main.js");
  return statSync(entry, { throwIfNoEntry: false }) === undefined ? undefined : entry;
}

/** Makes a build, unless another process makes one. Says on standard error why there is none, and the sources run. */
async function makeBuild(root: string): Promise<string | undefined> {
  const builds = join(root, ".murmur/build");
  const lock = join(builds, "lock");
  if (!takeLock(builds, lock)) return undefined;
  const startedMs = Date.now();
  try {
    const folder = freeFolder(builds, startedMs);
    const { bundle } = await import("./bundle.ts");
    const { inputs } = await bundle({
      root,
      out: join(builds, folder),
      entries: { main: "src/app/main.ts" },
      addressOf: (source) => join(root, source),
    });
    const files: Stamp["files"] = {};
    for (const path of [...inputs.map((input) => relative(root, input)), ...TOOL_FILES]) {
      const { mtimeMs, size } = statSync(join(root, path));
      if (mtimeMs >= startedMs && mtimeMs <= Date.now()) throw new Error(`${path} changed meanwhile`);
      files[path] = [mtimeMs, size];
    }
    const next = join(builds, `${CURRENT}.new`);
    writeFileSync(next, JSON.stringify({ folder, files } satisfies Stamp));
    renameSync(next, join(builds, CURRENT));
    return join(builds, folder, "main.js");
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
    process.stderr.write(`murmur: the build of this checkout failed, so the sources run: ${reason}\n`);
    return undefined;
  } finally {
    rmSync(lock, { force: true });
  }
}

/**
 * An empty folder for the next build: a number, so that the compile cache, which goes by paths, does not grow with each build. A
 * folder is used again when its build is older than {@link KEPT_MS} and is not the current one.
 */
function freeFolder(builds: string, nowMs: number): string {
  let current: string | undefined;
  try {
    current = (JSON.parse(readFileSync(join(builds, CURRENT), "utf8")) as Stamp).folder;
  } catch {
    // There is none yet.
  }
  for (let number = 1; ; number++) {
    const folder = String(number);
    const stat = statSync(join(builds, folder), { throwIfNoEntry: false });
    if (stat !== undefined && (folder === current || nowMs - stat.mtimeMs < KEPT_MS)) continue;
    rmSync(join(builds, folder), { recursive: true, force: true });
    mkdirSync(join(builds, folder));
    return folder;
  }
}

/** True when this process may build: no other one builds (I3), and the folder can be written. */
function takeLock(builds: string, lock: string): boolean {
  try {
    mkdirSync(builds, { recursive: true });
    const left = statSync(lock, { throwIfNoEntry: false });
    if (left !== undefined && Date.now() - left.mtimeMs > LOCK_LIMIT_MS) rmSync(lock, { force: true });
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    return false;
  }
}
