// Bundles the program into few files: Node loads them several times faster than hundreds of modules. Owns the parts of a bundle;
// build.ts makes the package with it, and run.ts the build of the checkout.
// I1: a module is in one file of the bundle, so all entries share one instance of each class.
// I2: code that reads `import.meta.url`, `dirname` or `filename` finds the address that its own file has, or would have, beside the bundle.
// I3: no file imports a module of Node: it asks the process for it. An import reads every export, and some of them load what few programs
//     need: `node:http` loads undici, `node:crypto` loads Web Crypto. That was a third of the CPU time until the probes of a process listen.
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { type Plugin, rolldown } from "rolldown";

/** Packages that become part of a bundle: almost every command or process loads them, and they have up to a hundred files each. */
const BUNDLED = [
  /^zod$/,
  /^@nats-io\//,
  /^commander$/,
  /^croner$/,
  /^ulid$/,
  /^picocolors$/,
  /^@msgpack\/msgpack$/,
  /^execa$/,
  /^hono(?:\/|$)/,
  /^@hono\/node-server$/,
];
/**
 * Modules that at least this many entries and lazy parts import are one file. Smaller numbers make each command load code that it
 * does not need, larger ones more files. Measured with `status`: 3, 8 and 20 load 17, 21 and 65 files of a bundle.
 */
const MIN_SHARES = 8;
/** The modules that every command line loads first. They are a file of their own: the help needs nothing else. */
const START =
  /\/src\/app\/(?:cli\/(?:cli|duration|spelling|wrap)|commands\/index|exit-codes|own-package|version|words)\.ts$|\/node_modules\/commander\//;
/**
 * The modules that a process loads until its probes listen, with all that they import: a file of their own, so that this takes no longer
 * than it must. Everything else of a process is loaded after that.
 */
const BEFORE_LISTENING =
  /\/src\/app\/(?:cli\/(?:session|last-line)|commands\/local\/(?:agent-run|api|coordinator|engine)|processes\/(?:load-in-steps|probe-port))\.ts$/;
/** Our own code does nothing when it is imported, so unused modules are left out. Entries are always kept. */
const OWN_CODE = /[\\/](src|agents|workflows)[\\/](?!.*[\\/]node_modules[\\/])/;
/** Stands for `import.meta.url` between the transformation of a module and the writing of its file. */
const ADDRESS = /import\.meta\.MURMUR_ADDRESS\("([^"]+)"\)/g;
/**
 * The comment before the code of a package's module, up to `node_modules`: a bundle must not depend on the place of the packages, which
 * may be a link.
 */
const REGION_OF_PACKAGE = /^(\s*\/\/(?:#region)? )\.\S*\/(?=node_modules\/)/gm;

/** A finished bundle. */
export interface Bundle {
  /** The files that it was made from, without those of packages: absolute paths. */
  readonly inputs: readonly string[];
  /** The folders of the packages in it. */
  readonly packages: readonly string[];
  /** The packages that its files still import. */
  readonly imports: readonly string[];
}

/**
 * Writes a bundle to `out`.
 * @param options.entries the path of each entry below `out`, without `.js`, and its source below `root`.
 * @param options.chunks the folder below `out` for the files that no entry names; default `out` itself. Bundles in one `out` need
 *   different folders.
 * @param options.addressOf the place of a source, below `root`, in the tree that the bundle belongs to.
 * @throws Error for a source that cannot be parsed or found.
 */
export async function bundle(options: {
  root: string;
  out: string;
  entries: Readonly<Record<string, string>>;
  addressOf: (source: string) => string;
  chunks?: string | undefined;
}): Promise<Bundle> {
  const { root, out, addressOf, chunks: chunkFolder } = options;
  const entries = Object.entries(options.entries).map(
    ([path, source]) => [path, join(root, source)] as const,
  );
  const sources = entries.map(([, source]) => source);
  const building = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries),
    platform: "node",
    external: (id, importer) => /^[^./]/.test(id) && !isBundled(id, importer),
    treeshake: {
      moduleSideEffects: [{ test: OWN_CODE, sideEffects: false }],
    },
    plugins: [resolveOwnName(root), keepAddresses({ root, out, addressOf, sources }), takeBuiltins()],
    // The warnings are about lazy parts that another module imports at once, which is no fault.
    onLog: (level, log) => {
      if (level === "warn" && log.code !== "INEFFECTIVE_DYNAMIC_IMPORT") throw new Error(log.message);
    },
  });
  try {
    const { output } = await building.write({
      dir: out,
      format: "esm",
      entryFileNames: "[name].js",
      chunkFileNames: chunkFolder === undefined ? "[name].js" : `${chunkFolder}/[name].js`,
      codeSplitting: {
        groups: [
          { name: "start", test: START, priority: 4 },
          { name: "listen", test: BEFORE_LISTENING, priority: 3 },
          // Steps of a process's start (loadInSteps): a group has the shared modules of a room with all their imports.
          { name: "transport", test: /\/src\/transport\//, minShareCount: MIN_SHARES, priority: 2 },
          { name: "work", test: /\/src\/work\//, minShareCount: MIN_SHARES, priority: 1 },
          { name: "shared", minShareCount: MIN_SHARES },
        ],
      },
    });
    const chunks = output.filter((file) => file.type === "chunk");
    const own = new Set(chunks.map(({ fileName }) => fileName));
    const modules = chunks.flatMap(({ moduleIds }) => moduleIds).filter((id) => id.startsWith("/"));
    return {
      inputs: modules.filter((id) => !id.includes("/node_modules/")),
      packages: [...new Set(modules.filter((id) => id.includes("/node_modules/")).map(packageFolder))].sort(),
      imports: [...new Set(chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]))]
        .filter((id) => !own.has(id) && !id.startsWith("node:"))
        .sort(),
    };
  } finally {
    await building.close();
  }
}

/** True for a package of {@link BUNDLED}, and for the packages that these import: nothing else has them. */
function isBundled(id: string, importer: string | undefined): boolean {
  if (isBuiltin(id)) return false;
  const isInPackage = importer?.includes("/node_modules/") === true;
  return isInPackage || OWN_NAME.test(id) || BUNDLED.some((name) => name.test(id));
}

/** The doors of the package, as agents and workflows import them. */
const OWN_NAME = /^murmur-swarm(?:\/|$)/;

/** Workflows and the libraries of agents import the doors by name; in a bundle they are its own modules (I1). */
function resolveOwnName(root: string): Plugin {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string>;
  };
  return {
    name: "own-name",
    resolveId(specifier) {
      if (!OWN_NAME.test(specifier)) return null;
      const source = exports[specifier.replace(OWN_NAME, (name) => (name.endsWith("/") ? "./" : "."))];
      if (source === undefined) throw new Error(`${specifier} is no door of the package`);
      return join(root, source);
    },
  };
}

/** Gives modules the address of their own file (I2). */
function keepAddresses(options: {
  root: string;
  out: string;
  addressOf: (source: string) => string;
  sources: readonly string[];
}): Plugin {
  const { root, out, addressOf, sources } = options;
  return {
    name: "addresses",
    transform(code, id) {
      if (!OWN_CODE.test(id) || !code.includes("import.meta.")) return null;
      if (/import\.meta\.resolve\b/.test(code)) throw new Error(`${id}: import.meta.resolve is not bundled`);
      const address = `import.meta.MURMUR_ADDRESS(${JSON.stringify(addressOf(relative(root, id)))})`;
      const file = `process.getBuiltinModule("node:url").fileURLToPath(${address})`;
      const isEntry = sources.includes(id);
      return code
        .replace(/import\.meta\.url\b/g, address)
        .replace(/import\.meta\.filename\b/g, file)
        .replace(/import\.meta\.dirname\b/g, `process.getBuiltinModule("node:path").dirname(${file})`)
        .replace(/import\.meta\.main\b/g, isEntry ? "import.meta.main" : "false");
    },
    renderChunk(code, { fileName }) {
      const folder = dirname(join(out, fileName));
      return code.replace(REGION_OF_PACKAGE, "$1").replace(ADDRESS, (_, address: string) => {
        const path = relative(folder, address);
        return `new URL(${JSON.stringify(path.startsWith(".") ? path : `./${path}`)}, import.meta.url).href`;
      });
    },
  };
}

/** An import of a module of Node, as a file of a bundle has it: the default export, the whole module, and names. */
const BUILTIN_IMPORT =
  /^import (?:([\w$]+)(?:, )?)?(?:\* as ([\w$]+))?(?:\{ (.+) \})? from "(node:[\w/]+)";$/;

/** Gives each file the modules of Node without importing them (I3). The imports are the first lines of a file. */
function takeBuiltins(): Plugin {
  return {
    name: "builtins",
    renderChunk(code) {
      const lines = code.split("\n");
      const end = lines.findIndex((line) => !line.startsWith("import "));
      return lines.map((line, at) => (at < end ? takeBuiltin(line) : line)).join("\n");
    },
  };
}

function takeBuiltin(line: string): string {
  const [, first, whole, names, id] = BUILTIN_IMPORT.exec(line) ?? [];
  if (id === undefined) return line;
  const module = `globalThis.process.getBuiltinModule("${id}")`;
  const renamed = names?.replace(/([\w$]+) as ([\w$]+)/g, "$1: $2");
  const bindings = [first, whole, renamed === undefined ? undefined : `{ ${renamed} }`];
  return bindings
    .filter((binding) => binding !== undefined)
    .map((binding) => `const ${binding} = ${module};`)
    .join(" ");
}

/** `…/node_modules/@scope/name` of a file in it. */
function packageFolder(file: string): string {
  const [folder] = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file) ?? [];
  if (folder === undefined) throw new Error(`${file} belongs to no package`);
  return folder;
}
