// Confines the programs of the analysers: builds the command that runs a program without network and, where bubblewrap is installed,
// with a read-only view of the machine. Owns the arguments. Leaves to the review whether a program works here
// (workflows/review/safety/sandbox.ts). Reasons: docs/decisions/0018-analysers-in-namespaces.md.
// I1: a confined command either runs confined, or fails. It never falls back to the plain command.
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { AnalysisTools, Sandbox } from "./contract.ts";
import { isInside } from "./files.ts";

/** The programs that can confine, the stronger first. `bwrap` is bubblewrap; `unshare` is from util-linux. */
export const SANDBOX_NAMES = ["bwrap", "unshare"] as const;
/** The folders of the system's own programs. The PATH is not searched: it may lead into the reviewed repository. */
const SYSTEM_FOLDERS = ["/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin"];
/** Folders with temporary files and sockets of other programs. A confined program sees empty ones. */
const HIDDEN_FOLDERS = ["/tmp", "/run", "/var/tmp"];

type Argv = readonly [program: string, ...args: string[]];

/** Returns the confining programs of this system, the stronger first; none outside of Linux. */
export function findSandboxes(): Sandbox[] {
  if (process.platform !== "linux") return [];
  return SANDBOX_NAMES.flatMap((by) => {
    const program = SYSTEM_FOLDERS.map((folder) => join(folder, by)).find((file) => existsSync(file));
    return program === undefined ? [] : [{ by, program }];
  });
}

/** The files of the confining programs, for the list of allowed programs of an agent. */
export function sandboxPrograms(): string[] {
  return findSandboxes().map(({ program }) => program);
}

/** The place of a confined command. */
export interface Surroundings {
  /** The folders that the command reads, absolute and without links: they stay visible below hidden folders. */
  readable: readonly string[];
  /** The existing folders that the command sees empty. */
  hidden: readonly string[];
  /** True when the user is root of the system. */
  isRoot: boolean;
}

/** Returns the surroundings of an analyser that reads `readable`, on this machine. */
export function surroundingsOf(readable: readonly string[]): Surroundings {
  return {
    readable: [...readable, dirname(dirname(process.execPath))],
    hidden: [...new Set([...HIDDEN_FOLDERS, tmpdir()])].filter((folder) => existsSync(folder)),
    isRoot: process.getuid?.() === 0,
  };
}

/** Returns the command that runs `argv` confined. Pure. */
export function confine({ by, program }: Sandbox, around: Surroundings, argv: Argv): Argv {
  switch (by) {
    case "bwrap":
      return [program, ...bubble(around), "--", ...argv];
    case "unshare":
      // Root makes the namespace itself: in a namespace of its own it could not read files of other users. Without the capability
      // to administer the system it cannot leave the network namespace.
      if (around.isRoot) {
        const setpriv = join(dirname(program), "setpriv");
        return [program, "--net", "--", setpriv, ...FEW_RIGHTS, "--", ...argv];
      }
      return [program, "--user", "--map-current-user", "--net", "--", ...argv];
    default:
      return by satisfies never;
  }
}

const FEW_RIGHTS = ["--bounding-set=-all,+dac_read_search", "--inh-caps=-all", "--no-new-privs"];

/**
 * The arguments of bubblewrap. No `--new-session`: a new session is another process group, whose memory the exec bridge does not
 * watch; the bridge has no terminal that a session could protect.
 */
function bubble({ readable, hidden, isRoot }: Surroundings): string[] {
  const isHidden = (path: string) => hidden.some((folder) => isInside(folder, path));
  return [
    ...["--ro-bind", "/", "/"],
    ...["--dev", "/dev"],
    ...["--proc", "/proc"],
    ...hidden.flatMap((folder) => ["--tmpfs", folder]),
    ...readable.filter(isHidden).flatMap((path) => ["--ro-bind", path, path]),
    "--unshare-net",
    "--unshare-pid",
    "--unshare-ipc",
    "--die-with-parent",
    ...["--cap-drop", "ALL"],
    // Root still reads files of other users, as it does without a sandbox.
    ...(isRoot ? ["--cap-add", "CAP_DAC_READ_SEARCH"] : []),
  ];
}

/** Returns tools whose commands run confined; the same tools without a sandbox. */
export function confineTools(
  tools: AnalysisTools,
  sandbox: Sandbox | undefined,
  readable: readonly string[],
): AnalysisTools {
  if (sandbox === undefined) return tools;
  const around = surroundingsOf(readable);
  return {
    signal: tools.signal,
    progress: (percent, note) => tools.progress(percent, note),
    exec: (command) => tools.exec({ ...command, argv: confine(sandbox, around, command.argv) }),
  };
}
