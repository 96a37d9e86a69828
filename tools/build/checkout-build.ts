// The build of the checkout in .murmur/build: the program as a bundle, which starts in a third of the time that the sources take.
// It is a cache: it is made anew when a source has changed, and where it cannot be made, the sources run.
// I1: a build is used only while each file that it was made from has the size and the time of change that it had before the build.
// I2: a process may load parts of its build late, so no other build takes its folder within an hour.
// I3: one process builds at a time; the others run the sources meanwhile.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";

/** A lock that is older than this was left by a killed process, in ms. A build takes 1–2 s, on a busy machine up to 10. */
const LOCK_LIMIT_MS = 60_000;
/** How long a build stays at least, in ms: longer than any command that runs from a build (I2). */
const KEPT_MS = 3_600_000;
/** The files that decide how the build is made, besides its inputs. */
const TOOL_FILES = ["package.json", "package-lock.json", "tools/build/bundle.ts"];
/** The file that names the newest build. */
const CURRENT = "current.json";
/** The program's own entry in the build, and its source. */
const PROGRAM = { main: "src/app/main.ts" };
/** The program of a review's agents: a bundle of its own, which has nothing but what these agents need, so that it starts in half the time. */
const REVIEW_HOST = "src/app/review-host.ts";
/** The entry of zod, of 100 files: agents import it as well as the program. A build has it, so one copy serves both. */
const ZOD = "node_modules/zod/index.js";
/** The look for the end of another process's build, in ms: a build takes 1,000 ms or more. */
const LOOK_EVERY_MS = 100;
/**
 * The module of a build that makes Node load the build in the place of the sources: `node --import <this file> src/app/main.ts`. The
 * processes that the program starts do the same when the option stands in NODE_OPTIONS. Everything else stays as it is: arguments,
 * addresses of modules, the agents from their sources.
 */
export const REDIRECT = "redirect.js";

/** The content of {@link CURRENT}. */
interface Stamp {
  /** The folder of the build below .murmur/build. */
  folder: string;
  /** Time of change in ms and size of each file, by its path below the root. */
  files: Record<string, [number, number]>;
}

/** The entry of the checkout's build, which is made first when it is stale; undefined when it cannot be had now. */
export async function provideBuild(root: string): Promise<string | undefined> {
  const found = findBuild(root) ?? (await makeBuild(root));
  return typeof found === "string" ? found : undefined;
}

/**
 * The module that redirects from the sources to the checkout's build, for `node --import` (see {@link REDIRECT}). When another
 * process builds, it waits for that one.
 * @returns undefined when the build failed; standard error tells the reason.
 */
export async function provideRedirect(root: string): Promise<string | undefined> {
  for (;;) {
    const found = findBuild(root) ?? (await makeBuild(root));
    if (typeof found === "string") return join(dirname(found), REDIRECT);
    if (!found.isBusy) return undefined;
    await setTimeout(LOOK_EVERY_MS);
  }
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

/**
 * Makes a build, unless another process makes one. When it fails, it says on standard error why, and the sources run.
 * @returns the entry, or whether another process builds.
 */
async function makeBuild(root: string): Promise<string | { isBusy: boolean }> {
  const builds = join(root, ".murmur/build");
  const lock = join(builds, "lock");
  if (!takeLock(builds, lock)) return { isBusy: existsSync(lock) };
  const startedMs = Date.now();
  try {
    const folder = freeFolder(builds, startedMs);
    const { bundle } = await import("./bundle.ts");
    const entries = { ...PROGRAM, ...readDoors(root), ...sharedPackages(root), ...reviewAgents(root) };
    const host = existsSync(join(root, REVIEW_HOST)) ? { "review/host": REVIEW_HOST } : {};
    const parts = { root, out: join(builds, folder), addressOf: (source: string) => join(root, source) };
    const main = await bundle({ ...parts, entries });
    const ofHost =
      Object.keys(host).length === 0
        ? []
        : (await bundle({ ...parts, entries: host, chunks: "review" })).inputs;
    const inputs = new Set([...main.inputs, ...ofHost]);
    writeRedirect(root, join(builds, folder), { ...entries, ...host });
    const files: Stamp["files"] = {};
    for (const path of [...[...inputs].map((input) => relative(root, input)), ...TOOL_FILES]) {
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
    return { isBusy: false };
  } finally {
    rmSync(lock, { force: true });
  }
}

/** The doors of the package, which agents import by its name: the path of each below the build, and its source. */
function readDoors(root: string): Record<string, string> {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string>;
  };
  return Object.fromEntries(
    Object.values(exports).map((source) => [basename(dirname(source)), source.replace("./", "")]),
  );
}

/** The packages that the build and agents share. */
function sharedPackages(root: string): Record<string, string> {
  return existsSync(join(root, ZOD)) ? { zod: ZOD } : {};
}

/** The library and the agents of the review: a review starts them for the time of one command. */
function reviewAgents(root: string): Record<string, string> {
  const agents = join(root, "agents");
  const roles = existsSync(agents) ? readdirSync(agents).filter((name) => name.startsWith("review-")) : [];
  const sources = roles.map((role) => [`agents/${role}`, `agents/${role}/agent.ts`] as const);
  const library = "agents/lib/review/index.ts";
  return Object.fromEntries([
    ...sources,
    ...(existsSync(join(root, library)) ? [["agents/review-library", library] as const] : []),
  ]);
}

/** Writes {@link REDIRECT}. Node has resolved an import before the module compares its address with those of the entries. */
function writeRedirect(root: string, folder: string, entries: Readonly<Record<string, string>>): void {
  const addresses = Object.entries(entries).map(([path, source]) => [
    pathToFileURL(realpathSync(join(root, source))).href,
    pathToFileURL(join(folder, `${path}.js`)).href,
  ]);
  const text = `import { registerHooks } from "node:module";
const builtOf = new Map(${JSON.stringify(addresses)});
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const url = builtOf.get(resolved.url);
    return url === undefined ? resolved : { ...resolved, url, format: "module" };
  },
});
`;
  writeFileSync(join(folder, REDIRECT), text);
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
