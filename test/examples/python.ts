// A Python with the packages of an example, in a virtual environment of its own. The environment stays in the checkout
// (ignored by git) until the requirements file changes, because it costs seconds and needs the network.
import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Returns the reason why this machine cannot make a virtual environment; undefined when it can. */
export async function whyNoPython(): Promise<string | undefined> {
  try {
    await run("python3", ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"]);
    return undefined;
  } catch {
    return "no python3 ≥ 3.9 with venv on the PATH";
  }
}

/** Returns the interpreter of `folder`'s environment, with the packages of its requirements.txt. */
export async function preparePython(folder: string): Promise<string> {
  const environment = join(folder, ".venv");
  const marker = join(environment, ".complete");
  const requirements = join(folder, "requirements.txt");
  const wanted = readFileSync(requirements, "utf8");
  const python = join(environment, "bin", "python");
  if (readIfPresent(marker) === wanted) return python;
  rmSync(environment, { recursive: true, force: true });
  await run("python3", ["-m", "venv", "--without-pip", environment]);
  await install(python, requirements);
  writeFileSync(marker, wanted);
  return python;
}

/**
 * Installs packages with the system's pip, which may be missing or older than 22.3 (the first with `--python`). Then an own
 * pip goes into the environment first: that takes 8 s of CPU time, where the system's pip takes 2 s in all.
 */
async function install(python: string, requirements: string): Promise<void> {
  const packages = ["install", "--quiet", "--requirement", requirements];
  try {
    await run("python3", ["-m", "pip", "--python", python, ...packages]);
  } catch {
    await run(python, ["-m", "ensurepip"]);
    await run(python, ["-m", "pip", ...packages]);
  }
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
