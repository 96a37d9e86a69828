// Installs the packages of the review's analysers, before a review starts agents that need them: npm ci over their lockfile.
// I1: `node_modules` counts only with a marker of the current lockfile. It is made in a folder beside it and renamed as a whole.
// I2: one process installs at a time.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { analysersDirectory } from "../../../agents/lib/review/index.ts";
import { newId } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { holdInstallLock } from "./lock.ts";
import { findPrograms, lastLine, runProgram } from "./program.ts";
import type { InstallPorts } from "./tools.ts";

/** npm ci of 120 MB in 150 packages takes under a minute on a good line. */
const NPM_LIMIT_MS = 900_000;
/** In `node_modules`: the hash of the lockfile that was installed. */
const MARKER = ".murmur-complete";

/** The part of a command's ports that this file needs. */
type AnalyserPorts = Pick<InstallPorts, "environment" | "terminal" | "signal">;

/**
 * Installs the analysers' packages where they are missing or not those of the lockfile. A folder that `MURMUR_ANALYSERS_DIR`
 * names is the operator's: it is left alone.
 * @throws SwarmError `unavailable` with the next steps.
 */
export async function provideAnalysers(ports: AnalyserPorts): Promise<void> {
  if ((ports.environment.MURMUR_ANALYSERS_DIR ?? "") !== "") return;
  await installAnalysers(ports, analysersDirectory());
}

/** Installs the packages of `folder`, as {@link provideAnalysers}. */
export async function installAnalysers(ports: AnalyserPorts, folder: string): Promise<void> {
  const wanted = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  if (isInstalled(folder, wanted)) return;
  const target = join(folder, "node_modules");
  if (lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    throw cannot(
      `${target} is a link to ${readlinkSync(target)}, whose packages are not those of this lockfile`,
      ["remove the link, or install in the folder that it leads to"],
    );
  }
  let lock: Awaited<ReturnType<typeof holdInstallLock>>;
  try {
    lock = await holdInstallLock(join(folder, ".install.lock"), {
      signal: ports.signal,
      onWait: () => ports.terminal.say("another process installs the review's analysers; waiting for it"),
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EACCES" && code !== "EROFS") throw error;
    throw cannot(`${folder} is not writable`, [
      `run the review once as a user who may write there, or copy the folder, run npm ci in the copy, and name it in MURMUR_ANALYSERS_DIR`,
    ]);
  }
  try {
    if (!isInstalled(folder, wanted)) await install(ports, folder, wanted);
  } finally {
    lock.release();
  }
}

function isInstalled(folder: string, wanted: string): boolean {
  const marker = join(folder, "node_modules", MARKER);
  return existsSync(marker) && readFileSync(marker, "utf8").trim() === wanted;
}

async function install(
  { environment, terminal, signal }: AnalyserPorts,
  folder: string,
  wanted: string,
): Promise<void> {
  const [npm] = findPrograms("npm", environment);
  if (npm === undefined) throw cannot("there is no npm on the PATH", ["install npm; it comes with Node.js"]);
  terminal.say("installing the review's analysers (npm ci; under a minute on a good line)");
  for (const name of readdirSync(folder).filter((each) => each.startsWith(".install-")))
    rmSync(join(folder, name), { recursive: true, force: true });
  const staging = join(folder, `.install-${newId()}`);
  mkdirSync(staging);
  try {
    for (const name of ["package.json", "package-lock.json"])
      copyFileSync(join(folder, name), join(staging, name));
    // --prefix: in a folder below node_modules, npm would install into the project above.
    // No install script of a package runs, because none is needed.
    const args = ["ci", "--prefix", staging, "--ignore-scripts", "--engine-strict=false"];
    const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
    const { isDone, output } = await runProgram(npm, [...args, ...quiet], {
      environment,
      signal,
      limitMs: NPM_LIMIT_MS,
      directory: staging,
    });
    signal.throwIfAborted();
    if (!isDone) {
      throw cannot(`npm ci of the review's analysers failed: ${lastLine(output)}`, [
        "no network: run it once where the package registry (npm config get registry) is reached",
        "a proxy or mirror of your own: npm config set proxy|registry",
      ]);
    }
    writeFileSync(join(staging, "node_modules", MARKER), `${wanted}\n`);
    rmSync(join(folder, "node_modules"), { recursive: true, force: true });
    renameSync(join(staging, "node_modules"), join(folder, "node_modules")); // I1
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function cannot(problem: string, ways: readonly string[]): SwarmError {
  return new SwarmError("unavailable", [problem, ...ways.map((way) => `  - ${way}`)].join("\n"));
}
