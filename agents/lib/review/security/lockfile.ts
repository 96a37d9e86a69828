// Checks lockfiles: present, consistent with package.json, from one source, with checksums. It reads npm's lockfiles; for
// other package managers it checks only that the lockfile exists.
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RawFinding, Unjudged } from "../contract.ts";
import { anchorOf, isTest, note, oneLine, readInside, readReviewed } from "../files.ts";
import { KINDS } from "../kinds.ts";
import { isAside } from "../purpose.ts";

const OTHER_LOCKFILES = ["yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock"];
const NPM_LOCKFILES = ["npm-shrinkwrap.json", "package-lock.json"];
/** The largest lockfile that is read. A lockfile of 2,000 packages is about 1 MB. */
const MAX_LOCKFILE_BYTES = 32 * 1024 * 1024;
/** The most names in a message. */
const MAX_NAMES = 6;

type Dependencies = Record<string, string>;

interface Manifest {
  private?: boolean;
  workspaces?: unknown;
  dependencies?: Dependencies;
  devDependencies?: Dependencies;
  optionalDependencies?: Dependencies;
}

interface LockedPackage extends Manifest {
  resolved?: string;
  integrity?: string;
  link?: boolean;
  inBundle?: boolean;
  hasInstallScript?: boolean;
}

interface Lock {
  packages?: Record<string, LockedPackage>;
}

interface Checked {
  findings: RawFinding[];
  /** The manifest or the lockfile, when it cannot be read or does not parse. */
  unjudged: Unjudged[];
}

/** Checks the lockfile of a package.json (a path relative to the directory). */
export async function checkLockfile(directory: string, manifestFile: string): Promise<Checked> {
  const found = (findings: RawFinding[]): Checked => ({ findings, unjudged: [] });
  if (isTest(manifestFile) || isAside(manifestFile)) return found([]);
  const manifest = await readJson<Manifest>(directory, manifestFile);
  if ("unjudged" in manifest) return { findings: [], unjudged: [manifest.unjudged] };
  if (Object.keys(allDependencies(manifest.value)).length === 0) return found([]);
  const lockfile = await findLockfile(directory, dirname(manifestFile));
  if (lockfile === null) return found(await missing(directory, manifestFile, manifest.value));
  const name = lockfile.file.slice(lockfile.file.lastIndexOf("/") + 1);
  if (!NPM_LOCKFILES.includes(name)) return found([]);
  const lock = await readJson<Lock>(directory, lockfile.file);
  if ("unjudged" in lock) return { findings: [], unjudged: [lock.unjudged] };
  return found(await checkNpm(directory, lockfile, lock.value, { manifestFile, manifest: manifest.value }));
}

async function checkNpm(
  directory: string,
  found: { file: string; folder: string },
  lock: Lock,
  { manifestFile, manifest }: { manifestFile: string; manifest: Manifest },
): Promise<RawFinding[]> {
  if (lock.packages === undefined) {
    const message = `${found.file} has no list of packages (npm 6 and older wrote such lockfiles), so its sources and checksums are not checked; npm install of a newer npm writes the list.`;
    return [note("lockfile-version", found.file, message)];
  }
  const here = dirname(manifestFile);
  const key = here === found.folder ? "" : here.slice(found.folder === "." ? 0 : found.folder.length + 1);
  const own = lock.packages[key];
  const isRoot = key === "";
  return [
    ...(own === undefined ? [] : outOfStep(found.file, manifestFile, manifest, own)),
    ...(isRoot ? checkPackages(found.file, lock.packages, await skipsScripts(directory, found.folder)) : []),
  ];
}

/** Finds the nearest lockfile in a folder or above it; above it only at a workspace root. */
async function findLockfile(
  directory: string,
  from: string,
): Promise<{ file: string; folder: string } | null> {
  for (let folder = from; ; folder = dirname(folder)) {
    for (const name of [...NPM_LOCKFILES, ...OTHER_LOCKFILES]) {
      const file = folder === "." ? name : `${folder}/${name}`;
      if (await exists(join(directory, file))) return { file, folder };
    }
    if (folder === ".") return null;
  }
}

async function missing(directory: string, file: string, manifest: Manifest): Promise<RawFinding[]> {
  // Libraries may omit it on purpose: their users choose the versions of the dependencies.
  const npmrc = (await readInside(directory, join(dirname(file), ".npmrc"))) ?? "";
  if (manifest.private !== true || /^\s*package-lock\s*=\s*false/m.test(npmrc)) return [];
  const message =
    "There is no lockfile, so every install may bring other versions, including untested ones. Commit the lockfile of your package manager.";
  return [finding("lockfile-missing", "lockfile", file, message, "lockfile")];
}

function outOfStep(lockFile: string, file: string, manifest: Manifest, locked: Manifest): RawFinding[] {
  const [wanted, have] = [allDependencies(manifest), allDependencies(locked)];
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(have)])].filter(
    (name) => wanted[name] !== have[name],
  );
  if (names.length === 0) return [];
  const message = `${lockFile} does not match ${file}: ${list(names)}. A clean install fails (npm ci) or brings untested versions; run npm install and commit both.`;
  return [finding("lockfile-out-of-step", "in-step", lockFile, message, `${file} ${names.join(" ")}`)];
}

function checkPackages(
  file: string,
  packages: Record<string, LockedPackage>,
  skipScripts: boolean,
): RawFinding[] {
  const installed = Object.entries(packages)
    .filter(
      ([path, { link, inBundle }]) => path.includes("node_modules/") && link !== true && inBundle !== true,
    )
    .map(([path, facts]) => ({ name: path.slice(path.lastIndexOf("node_modules/") + 13), ...facts }));
  const hosts = installed.map(({ resolved }) => hostOf(resolved));
  const usual = mostCommon(hosts.filter((host) => host !== null));
  const named = (kind: string, rule: string, names: readonly string[], message: string) =>
    names.length === 0 ? [] : [finding(kind, rule, file, message, names.join(" "))];

  const insecure = installed
    .filter(({ resolved }) => /^(?:http|git):/.test(resolved ?? ""))
    .map(({ name }) => name);
  const git = installed.filter(({ resolved }) => /^git\+/.test(resolved ?? "")).map(({ name }) => name);
  const foreign = installed
    .filter(({ resolved }, at) => /^https:/.test(resolved ?? "") && hosts[at] !== usual)
    .map(({ name }) => name);
  const unchecked = installed
    .filter(({ integrity, resolved }) => integrity === undefined && !/^(?:git|file)/.test(resolved ?? ""))
    .map(({ name }) => name);
  const scripts = installed
    .filter(({ hasInstallScript }) => hasInstallScript === true)
    .map(({ name }) => name);
  return [
    ...named(
      "lockfile-insecure-source",
      "unencrypted",
      insecure,
      `Fetched without encryption, so an attacker on the network path can replace it: ${list(insecure)}. Use https.`,
    ),
    ...named(
      "lockfile-foreign-source",
      "git",
      git,
      `From a git repository instead of a registry: ${list(git)}. It can disappear, and has no checksum; publish it or vendor it.`,
    ),
    ...named(
      "lockfile-foreign-source",
      "other-host",
      foreign,
      `From another host than the other packages: ${list(foreign)}. Check that this is intended.`,
    ),
    ...named(
      "lockfile-no-integrity",
      "integrity",
      unchecked,
      `Without a checksum, so a changed package goes unnoticed: ${list(unchecked)}. Delete the entries and run npm install.`,
    ),
    ...(skipScripts
      ? []
      : named(
          "install-script",
          "install-script",
          scripts,
          `These packages run their own program during the install: ${list(scripts)}. Review them, or install with --ignore-scripts.`,
        )),
  ];
}

function allDependencies(manifest: Manifest): Dependencies {
  return { ...manifest.devDependencies, ...manifest.dependencies, ...manifest.optionalDependencies };
}

async function skipsScripts(directory: string, folder: string): Promise<boolean> {
  const npmrc = (await readInside(directory, join(folder, ".npmrc"))) ?? "";
  return /^\s*ignore-scripts\s*=\s*true/m.test(npmrc);
}

async function readJson<T>(directory: string, file: string): Promise<{ value: T } | { unjudged: Unjudged }> {
  const read = await readReviewed(directory, file, MAX_LOCKFILE_BYTES);
  if ("unjudged" in read) return read;
  const broken = (message: string) => ({
    unjudged: { file, why: "parse-error" as const, message: oneLine(message) },
  });
  try {
    const value: unknown = JSON.parse(read.text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? { value: value as T } : broken("expected a JSON object");
  } catch {
    // The parser's message quotes the text, which can contain a secret.
    return broken("the file is no JSON");
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function hostOf(resolved: string | undefined): string | null {
  return resolved !== undefined && URL.canParse(resolved) ? new URL(resolved).host : null;
}

function mostCommon(values: readonly string[]): string | null {
  const counts = Map.groupBy(values, (value) => value);
  return [...counts].sort(([, a], [, b]) => b.length - a.length)[0]?.[0] ?? null;
}

function list(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return names.slice(0, MAX_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function finding(kind: string, rule: string, file: string, message: string, anchor: string): RawFinding {
  const severity = KINDS[kind]?.severity ?? "low";
  return { kind, rule, severity, file, line: 1, message: oneLine(message), anchor: anchorOf(anchor) };
}
