// `npm run build`: builds the package. It holds the program as a bundle in src, the compiled JavaScript of agents, the type
// declarations of the package's doors, the licences of bundled packages, and a package.json of its own. `npm run package` also packs it: the tarball is the thing
// that users install. `./murmur test` does the checks.
//
//   node tools/build/build.ts [--out DIR]            default dist/
//   node tools/build/build.ts --pack [--to DIR]      builds and writes murmur-swarm-<version>.tgz to DIR, by default the checkout
//   --unchecked                                      leaves out the check of types; the files are the same

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import { type Bundle, bundle } from "./bundle.ts";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(root, "dist") },
    pack: { type: "boolean", default: false },
    to: { type: "string", default: root },
    unchecked: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(`node tools/build/build.ts: builds the package

  --out DIR   where the files go (default dist/)
  --pack      also makes the tarball
  --to DIR    where the tarball goes (default the checkout)
  --unchecked leaves out the check of types, for callers that have checked them; the files are the same
`);
  process.exit(0);
}
const out = resolve(values.out);

/** The file of the command. */
const COMMAND = "src/app/bin/murmur.cjs";
/** Pages that are part of the package; findings name the pages about their kinds, and the API serves those of the console. */
const PAGES = ["README.md", "LICENSE", "CHANGELOG.md", "docs/review/kinds", "console/page"];
/** The licences of the packages whose code is in the bundle. */
const LICENCES = "THIRD-PARTY-LICENSES.txt";
/** The files that are started by their paths, besides the doors. */
const PROGRAMS = ["src/app/main.ts", "src/app/bench/bench-process.ts"];
/** The program of a review's agents: a bundle of its own, which starts in half the time. */
const REVIEW_HOST = "src/app/review-host.ts";
/** Packages that src loads with `require`, at the first use. */
const REQUIRED = ["pino", "prom-client"];
/** The only form of a peer's range that src/app/bin/start.cjs understands. */
const PEER_RANGE = /^\^\d+\.\d+\.\d+$/;

/** An import of a file beside: `from "./x.ts"`, `import("./x.ts")`. */
const RELATIVE_IMPORT = /((?:from |import\()")(\.[^"]+)\.ts(")/g;
/** An import of a package: `from "name/part"`, `import("name")`. */
const PACKAGE_IMPORT = /(?:from |import\()"((?:@[\w.-]+\/)?\w[\w.:-]*)/g;

/** Folders of agents whose imports are not the package's: installed apart, or text of examples. */
const WITHOUT_IMPORTS = [`${sep}analysers${sep}`, `${sep}pages${sep}texts${sep}`];

/** The name of the package in the path of an import. */
const PACKAGE_NAME = /^(?:@[^/]+\/)?[^/]+/;

/** The fields of package.json that the build reads. */
interface Manifest {
  name: string;
  version: string;
  description: string;
  license: string;
  engines: Record<string, string>;
  /** The home of the sources; findings link to the pages there. */
  repository?: { url: string };
  /** The doors: the path below the package's name, and the source file. */
  exports: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
}

const own: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
rmSync(out, { recursive: true, force: true });
compile();
keepReachableTypes(Object.values(own.exports));
const bundled = await bundleProgram();
copyBeside();
writeLicences(bundled.packages);
writeManifest();
process.stdout.write(`${relative(process.cwd(), out) || "."}: ${listFiles(out).length} files\n`);
if (values.pack) pack(resolve(values.to));

/** Runs tsc with the options of the checkout over src and agents. A temporary file holds the options of the build. */
function compile(): void {
  const dir = mkdtempSync(join(tmpdir(), "murmur-build-"));
  const project = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      noCheck: values.unchecked,
      declaration: true,
      rootDir: root,
      outDir: out,
      typeRoots: [join(root, "node_modules/@types")],
    },
    include: [join(root, "src"), join(root, "agents")],
    exclude: [join(root, "**/node_modules")],
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(project));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "--project", dir, "--checkers", "1"], {
    cwd: root,
    stdio: "inherit",
  });
  rmSync(dir, { recursive: true, force: true });
  if (status !== 0) process.exit(1);
}

/**
 * Removes the declarations that no door reaches, and names the others in imports as Node does, with `.js`: tsc leaves `.ts`, which
 * only newer compilers resolve to a declaration.
 */
function keepReachableTypes(doors: readonly string[]): void {
  const declarationOf = (source: string) => join(out, source.replace(/\.ts$/, ".d.ts"));
  const reached = new Set(doors.map(declarationOf));
  for (const file of reached) {
    const text = readFileSync(file, "utf8");
    for (const [, , path] of text.matchAll(RELATIVE_IMPORT)) reached.add(join(dirname(file), `${path}.d.ts`));
    writeFileSync(file, text.replace(RELATIVE_IMPORT, "$1$2.js$3"));
  }
  for (const file of listFiles(out)) {
    if (file.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
  }
}

/** Puts the bundle in the place of the compiled modules of src and workflows; the bundle contains both. */
async function bundleProgram(): Promise<Bundle> {
  rmSync(join(out, "workflows"), { recursive: true, force: true });
  for (const file of listFiles(join(out, "src"))) if (file.endsWith(".js")) rmSync(file);
  const sources = [...Object.values(own.exports).map((source) => source.replace("./", "")), ...PROGRAMS];
  const make = (entries: readonly string[], chunks?: string) =>
    bundle({
      root,
      out: join(out, "src"),
      entries: Object.fromEntries(entries.map((source) => [source.replace(/^src\/|\.ts$/g, ""), source])),
      addressOf: (source) => join(out, source.replace(/\.ts$/, ".js")),
      chunks,
    });
  const [main, host] = [await make(sources), await make([REVIEW_HOST], "app/review-host")];
  return {
    inputs: [...new Set([...main.inputs, ...host.inputs])],
    packages: [...new Set([...main.packages, ...host.packages])].sort(),
    imports: [...new Set([...main.imports, ...host.imports])].sort(),
  };
}

/** Copies the files that are not compiled: the command, the packages and rules of the analysers, and the pages. */
function copyBeside(): void {
  for (const folder of ["agents", dirname(COMMAND)]) {
    cpSync(join(root, folder), join(out, folder), {
      recursive: true,
      filter: (source) => basename(source) !== "node_modules" && extname(source) !== ".ts",
    });
  }
  for (const page of PAGES) cpSync(join(root, page), join(out, page), { recursive: true });
  chmodSync(join(out, COMMAND), 0o755);
}

/** Writes the licence of each package in the bundle: a copy of their code must come with it. */
function writeLicences(packages: readonly string[]): void {
  const texts = packages.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} has no file with its licence (${folder})`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  const about = "The files in src contain code of these packages.\n";
  writeFileSync(join(out, LICENCES), [about, ...texts].join(`\n${"-".repeat(80)}\n\n`));
}

/**
 * The dependencies that the files of the package import. The bundle contains the others.
 * @throws Error for an import of a package that neither is a dependency nor a peer.
 */
function neededDependencies(): Record<string, string> {
  const needed = new Set([
    ...REQUIRED,
    ...bundled.imports.map((path) => PACKAGE_NAME.exec(path)?.[0] ?? path),
  ]);
  for (const file of listFiles(out)) {
    const isOwn = file.endsWith(".d.ts") || (file.endsWith(".js") && file.startsWith(join(out, "agents")));
    if (!isOwn || WITHOUT_IMPORTS.some((folder) => file.includes(folder))) continue;
    for (const [, name = ""] of readFileSync(file, "utf8").matchAll(PACKAGE_IMPORT)) needed.add(name);
  }
  const known = { ...own.dependencies, ...own.peerDependencies };
  const unknown = [...needed].filter((name) => !isGiven(name) && !(name in known));
  if (unknown.length > 0) throw new Error(`no dependency of package.json: ${unknown.join(", ")}`);
  return Object.fromEntries(Object.entries(own.dependencies).filter(([name]) => needed.has(name)));
}

/** True for a module of Node and for this package's own name. */
function isGiven(name: string): boolean {
  return name.startsWith("node:") || name === own.name;
}

function writeManifest(): void {
  const { name, version, description, license, engines, repository, peerDependencies } = own;
  for (const [peer, range] of Object.entries(peerDependencies)) {
    if (!PEER_RANGE.test(range)) throw new Error(`peer ${peer}: expected a range like ^1.2.3, got ${range}`);
  }
  const doors = Object.entries(own.exports).map(([path, source]) => {
    const stem = source.replace(/\.ts$/, "");
    return [path, { types: `${stem}.d.ts`, default: `${stem}.js` }];
  });
  const manifest = {
    ...{ name, version, description, license, type: "module", engines },
    ...(repository === undefined ? {} : { repository }),
    bin: { murmur: COMMAND },
    exports: { ...Object.fromEntries(doors), "./package.json": "./package.json" },
    ...{ dependencies: neededDependencies(), peerDependencies },
  };
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Packs the build with npm, and prints the path of the tarball. */
function pack(to: string): void {
  const { status, stdout } = spawnSync("npm", ["pack", "--silent", "--pack-destination", to], {
    cwd: out,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) throw new Error("npm pack failed: is npm on the PATH? Its messages are above");
  process.stdout.write(`${join(to, stdout.trim())}\n`);
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
