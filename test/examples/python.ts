// A Python with the packages of an example, in a virtual environment of its own. Made once per requirements file and
// kept in the checkout (ignored by git), since it costs seconds and the network.
import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Why no virtual environment can be made here, or undefined when one can. */
export async function whyNoPython(): Promise<string | undefined> {
  try {
    await run("python3", ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"]);
    return undefined;
  } catch {
    return "no python3 ≥ 3.9 with venv on the PATH";
  }
}

/** The interpreter of `folder`'s environment, with its requirements.txt installed. */
export async function preparePython(folder: string): Promise<string> {
  const environment = join(folder, ".venv");
  const marker = join(environment, ".complete");
  const wanted = readFileSync(join(folder, "requirements.txt"), "utf8");
  const python = join(environment, "bin", "python");
  if (readIfThere(marker) === wanted) return python;
  rmSync(environment, { recursive: true, force: true });
  await run("python3", ["-m", "venv", environment]);
  await run(python, ["-m", "pip", "install", "--quiet", "--requirement", join(folder, "requirements.txt")]);
  writeFileSync(marker, wanted);
  return python;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
