// `npm run build`: builds the package. It holds the compiled JavaScript of src and agents in the same folders, the type
// declarations of the package's door, and a package.json with production dependencies only. `./murmur test` does the checks.
//
//   node tools/build/build.ts [--out DIR]        default dist/

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, extname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({ options: { out: { type: "string", default: join(root, "dist") } } });
const out = resolve(values.out);

/** The entry file of the program. */
const ENTRY = "src/app/main.js";
/** Pages that are part of the package. */
const PAGES = ["README.md", "LICENSE", "CHANGELOG.md"];

/** The fields of package.json that the build reads. */
interface Manifest {
  name: string;
  version: string;
  description: string;
  license: string;
  engines: Record<string, string>;
  dependencies: Record<string, string>;
}

rmSync(out, { recursive: true, force: true });
compile({ include: ["src", "agents"] }, { noEmit: false });
compile({ files: ["src/index.ts"] }, { noEmit: false, declaration: true, emitDeclarationOnly: true });
copyBeside();
writeManifest();
makeExecutable();
process.stdout.write(`${relative(process.cwd(), out) || "."}: ${countFiles(out)} files\n`);

/** Runs tsc with the options of the checkout, `inputs` and `extra`. A temporary file holds the options. */
function compile(inputs: { include?: string[]; files?: string[] }, extra: Record<string, unknown>): void {
  const dir = mkdtempSync(join(tmpdir(), "murmur-build-"));
  const within = (paths: string[] | undefined) => paths?.map((path) => join(root, path));
  const project = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { ...extra, rootDir: root, outDir: out, typeRoots: [join(root, "node_modules/@types")] },
    include: within(inputs.include) ?? [],
    files: within(inputs.files),
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(project));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "--project", dir], { cwd: root, stdio: "inherit" });
  rmSync(dir, { recursive: true, force: true });
  if (status !== 0) process.exit(1);
}

/** Copies the files that are not compiled: the manifest and the rules of the analysers, and the pages. */
function copyBeside(): void {
  cpSync(join(root, "agents"), join(out, "agents"), {
    recursive: true,
    filter: (source) => basename(source) !== "node_modules" && extname(source) !== ".ts",
  });
  for (const page of PAGES) cpSync(join(root, page), join(out, page));
}

function writeManifest(): void {
  const own: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { name, version, description, license, engines, dependencies } = own;
  const manifest = {
    ...{ name, version, description, license, type: "module", engines },
    bin: { murmur: `./${ENTRY}` },
    exports: { ".": { types: "./src/index.d.ts", default: "./src/index.js" } },
    dependencies,
  };
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function makeExecutable(): void {
  const entry = join(out, ENTRY);
  if (!existsSync(entry)) throw new Error(`the build has no ${ENTRY}: src/app/main.ts is missing`);
  const text = readFileSync(entry, "utf8");
  if (!text.startsWith("#!")) writeFileSync(entry, `#!/usr/bin/env node\n${text}`);
  chmodSync(entry, 0o755);
}

function countFiles(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}
