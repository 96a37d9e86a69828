// Makes the file tree of an image: everything that the image has beyond its base. The Dockerfile copies the tree as it is.
// I1: two trees of one commit are equal, in bytes, modes and times.
// I2: only files that are named here get into the tree: those of the build, and of packages of the lockfile. So no secret of the
//     machine that builds can be in a layer.
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { prefillCompileCache } from "./compile-cache.ts";
import { copyPackages, findPackages, type ImagePackage, listFiles, readLock } from "./packages.ts";
import { createSbom } from "./sbom.ts";

/** The user and group of every process in the image: the number that distroless images call nonroot. */
export const IMAGE_UID = 65_532;
/** The targets: `murmur` for all roles, `tools` for agents that run commands. */
export const TARGETS = ["murmur", "tools"] as const;
export type Target = (typeof TARGETS)[number];

/** The place of the program in the image. */
const PROGRAM = "opt/murmur";
/** The place of one's own agents. */
const OWN = "app";
const ANALYSERS = "agents/lib/review/analysers";
/** The marker that tells the program that the analysers are those of the lockfile (src/app/install/analysers.ts). */
const ANALYSERS_MARKER = ".murmur-complete";
/** The pages that findings name. Only the target with the analysers has findings. */
const PAGES = "docs/review/kinds";
/** Parts of the build that the image has only in the target `tools`: the agents of the review, and the program that hosts them. */
const FOR_REVIEWS = /^(?:agents\/(?:review-[^/]+|lib\/review)|src\/app\/review-host(?:\.js)?)(?:\/|$)/;
/** A package in the licences of the build: `hono 4.1.0 (MIT)` after a line of dashes. */
const BUNDLED_PACKAGE = /^-{80}\n\n(\S+) \S+ \(.*\)$/gm;
/** The check of `HEALTHCHECK`: asks a probe of this container's process, `/livez` unless an argument names another. */
const HEALTH = `#!NODE
const port = process.env.MURMUR_METRICS_PORT || "9464";
const path = process.argv[2] || "/livez";
require("node:http")
  .get({ host: "127.0.0.1", port, path, timeout: 2000 }, (answer) => {
    answer.pipe(process.stdout);
    process.exitCode = answer.statusCode === 200 ? 0 : 1;
  })
  .on("timeout", function () {
    this.destroy(new Error("no answer within 2 s"));
  })
  .on("error", (error) => {
    process.stderr.write(error.message + "\\n");
    process.exitCode = 1;
  });
`;
/** The packages that the program loads with `require`, at the first use. */
const REQUIRED = ["pino", "prom-client"];
/** Programs that are started by their path, not imported: loading them would run them. */
const STARTED = [/^src\/app\/(?:main|review-host)\.js$/, /^src\/app\/bench\//];
/** The time of every file in the tree, in seconds: layers must not differ by the time of the build. */
const FILE_TIME_SECONDS = 0;

/** A finished tree. */
export interface Tree {
  files: number;
  bytes: number;
  /** SHA-256 over the path, mode and content of every file. */
  hash: string;
  packages: number;
  cacheEntries: number;
}

/**
 * Makes the tree of `target` in `out`.
 * @param options.build the finished build (tools/build/build.ts). @param options.root the checkout with the packages.
 * @param options.node the path of Node.js in the base.
 * @throws Error for packages that are missing or do not fit the lockfile, and for a compile cache that does not count.
 */
export function makeTree(options: {
  root: string;
  build: string;
  out: string;
  target: Target;
  node: string;
}): Tree {
  const { root, build, out, target, node } = options;
  rmSync(out, { recursive: true, force: true });
  const program = join(out, PROGRAM);
  copyProgram(build, program, target);
  const lock = readLock(join(root, "package-lock.json"));
  const packages = findPackages(lock, importedPackages(program));
  copyPackages(packages, { from: root, to: program });
  const analysers = target === "tools" ? copyAnalysers(root, program) : [];
  writeSbom({ build, program, packages: [...packages, ...analysers], lock });
  writeStarters(out, node);
  const modules = listFiles(join(program, "src"))
    .map((path) => join("src", path))
    .filter((path) => path.endsWith(".js") && !STARTED.some((each) => each.test(path)));
  const cacheEntries = prefillCompileCache({
    tree: out,
    program: join(PROGRAM, "src/app/main.js"),
    // The agent brings the packages that agents import.
    modules: [
      ...[...modules, "agents/echo/agent.js"].map((path) => join(PROGRAM, path)),
      ...REQUIRED.map((name) => `require:${name}`),
    ],
    cache: join(PROGRAM, "cache"),
    uid: IMAGE_UID,
  });
  settle(out);
  return { ...describeTree(out), packages: packages.length + analysers.length, cacheEntries };
}

/** Copies the files of the build that run, without declarations and pages. */
function copyProgram(build: string, program: string, target: Target): void {
  const pages = target === "tools" ? [PAGES] : [];
  for (const path of [
    "package.json",
    "LICENSE",
    "THIRD-PARTY-LICENSES.txt",
    "src",
    "agents",
    "console",
    ...pages,
  ]) {
    cpSync(join(build, path), join(program, path), {
      recursive: true,
      filter: (source) => {
        const below = relative(build, source);
        // A hidden file is no part of the program: for example `.env` beside an agent.
        if (basename(source).startsWith(".")) return false;
        return !below.endsWith(".d.ts") && (target === "tools" || !FOR_REVIEWS.test(below));
      },
    });
  }
}

/** The names of the packages that files of the program import or require; the build lists more, which only types name. */
function importedPackages(program: string): string[] {
  const { dependencies, peerDependencies } = readManifest(join(program, "package.json"));
  const texts = listFiles(join(program, "src"))
    .filter((path) => path.endsWith(".js"))
    .map((path) => readFileSync(join(program, "src", path), "utf8"));
  const isNamed = (name: string) =>
    texts.some((text) => text.includes(`"${name}"`) || text.includes(`"${name}/`));
  return [...Object.keys(peerDependencies), ...Object.keys(dependencies).filter(isNamed)];
}

/** Copies the installed analysers with their marker, so that the program takes them as its own. */
function copyAnalysers(root: string, program: string): ImagePackage[] {
  const [from, to] = [join(root, ANALYSERS), join(program, ANALYSERS)];
  const lockfile = readFileSync(join(from, "package-lock.json"));
  const hash = createHash("sha256").update(lockfile).digest("hex");
  const marker = join(from, "node_modules", ANALYSERS_MARKER);
  if (!existsSync(marker) || readFileSync(marker, "utf8").trim() !== hash) {
    throw new Error(
      `the analysers in ${from} are missing or not those of their lockfile; ./murmur review installs them`,
    );
  }
  const { dependencies } = readManifest(join(from, "package.json"));
  const packages = findPackages(readLock(join(from, "package-lock.json")), Object.keys(dependencies));
  const optional = new Set(packages.flatMap(({ locked }) => Object.keys(locked.optionalDependencies ?? {})));
  const absent = copyPackages(packages, { from, to, mayLack: ({ name }) => optional.has(name) });
  writeFileSync(join(to, "node_modules", ANALYSERS_MARKER), `${hash}\n`);
  const below = (path: string) => join(ANALYSERS, path);
  return packages
    .filter((entry) => !absent.includes(entry))
    .map((entry) => ({ ...entry, path: below(entry.path), needs: entry.needs.map(below) }));
}

function writeSbom(options: {
  build: string;
  program: string;
  packages: readonly ImagePackage[];
  lock: Parameters<typeof findPackages>[0];
}): void {
  const { build, program, packages, lock } = options;
  const { name, version, license } = readManifest(join(build, "package.json"));
  const inBundle = new Set(
    [...readFileSync(join(build, "THIRD-PARTY-LICENSES.txt"), "utf8").matchAll(BUNDLED_PACKAGE)].map(
      ([, each = ""]) => each,
    ),
  );
  const bundled = findPackages(lock, [...inBundle]).filter((entry) => inBundle.has(entry.name));
  const sbom = createSbom({ program: { name, version, license }, packages, bundled });
  writeFileSync(join(program, "sbom.cdx.json"), sbom);
}

/** Writes the commands of the image and the folder of one's own agents. No shell runs them: the base may have none. */
function writeStarters(out: string, node: string): void {
  const commands: Record<string, string> = {
    murmur: `#!${node}
// The command of the image. NODE_OPTIONS of the image sets the limit of the heap.
import("/${PROGRAM}/src/app/main.js");
`,
    "murmur-health": HEALTH.replace("NODE", node),
  };
  const folder = join(out, "usr/local/bin");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(commands))
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  mkdirSync(join(out, OWN, "agents"), { recursive: true });
  // Agents are ES modules, also where they bring no package.json.
  writeFileSync(
    join(out, OWN, "package.json"),
    `${JSON.stringify({ private: true, type: "module" }, null, 2)}\n`,
  );
}

/** Gives every file and folder the same owner bits and time (I1). */
function settle(out: string): void {
  for (const path of ["", ...listAll(out)]) {
    const file = join(out, path);
    const stat = statSync(file);
    chmodSync(file, stat.isDirectory() || isProgram(path) || (stat.mode & 0o111) !== 0 ? 0o755 : 0o644);
    lutimesSync(file, FILE_TIME_SECONDS, FILE_TIME_SECONDS);
  }
}

const isProgram = (path: string) => dirname(path) === "usr/local/bin";

/** Every file and folder below a folder, the deepest first, so that settling one changes no time of its folder. */
function listAll(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
    .reverse();
}

/** The size and hash of a tree. */
export function describeTree(out: string): { files: number; bytes: number; hash: string } {
  const hash = createHash("sha256");
  let bytes = 0;
  const files = listFiles(out);
  for (const path of files) {
    const content = readFileSync(join(out, path));
    bytes += content.length;
    const { mode, mtimeMs } = statSync(join(out, path));
    hash.update(`${path}\0${(mode & 0o777).toString(8)}\0${mtimeMs}\0${content.length}\0`).update(content);
  }
  return { files: files.length, bytes, hash: hash.digest("hex") };
}

interface Manifest {
  name: string;
  version: string;
  license: string;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, "utf8")) as Manifest;
}
