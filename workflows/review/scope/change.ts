// Finds out what a change is: its base, its files and its lines. Every git command goes through the guarded function of safety/.
// A change is everything between the merge base and the working tree: commits, and files that are not committed or not tracked.
import { SwarmError } from "murmur-swarm";
import { nearest } from "../../../src/base/index.ts";
import { runGit } from "../safety/index.ts";
import { type LineRange, readPatch } from "./patch.ts";

/** A change under review. */
export interface Change {
  /** The name of the base as the user gave it, or as it was found. */
  base: string;
  /** The merge base of HEAD and the base: the commit that the working tree is compared with. */
  commit: string;
  /** The changed lines of each changed file; `all` for a new or binary file. */
  files: ReadonlyMap<string, readonly LineRange[] | "all">;
  /** The files that the change removes, or moves away. */
  removed: readonly string[];
}

/** The default bases, in this order: the default branch of the remote, then the usual names. */
const DEFAULT_BASES = ["origin/HEAD", "origin/main", "origin/master", "main", "master"];
/** The most branches that an error names. */
const MAX_SHOWN_BRANCHES = 8;

interface Git {
  directory: string;
  signal?: AbortSignal | undefined;
}

/**
 * Reads the change of a checkout.
 * @param input.base a commit, branch or tag; without it: the default branch of the remote, else `main` or `master`. On a detached
 *   HEAD that is itself the base (CI of a push), or without any of these: the first parent of HEAD.
 * @throws SwarmError `invalid_input` without git or a checkout, in a bare repository, for a base that does not exist (with the
 *   branches that do), and for a clone too shallow to know the merge base.
 */
export async function readChange(input: Git & { base?: string | undefined }): Promise<Change> {
  await expectCheckout(input);
  const head = await commitOf(input, "HEAD");
  if (head === null) throw refuse("the checkout has no commit yet, so there is nothing to compare with");
  const { name, commit } = await findBase(input, head);
  const [status, patch, untracked] = await Promise.all([
    git(input, "diff", ["--name-status", "-z", "-M", "--relative", commit, "--"]),
    git(input, "diff", [
      "--unified=0",
      "--inter-hunk-context=0",
      "--no-color",
      "-M",
      "--relative",
      "--src-prefix=a/",
      "--dst-prefix=b/",
      commit,
      "--",
    ]),
    git(input, "ls-files", ["-z", "--others", "--exclude-standard"]),
  ]);
  const lines = readPatch(patch);
  const files = new Map<string, readonly LineRange[] | "all">();
  const removed: string[] = [];
  for (const { state, from, path } of readStatus(status)) {
    if (from !== undefined) removed.push(from);
    if (state === "D") removed.push(path);
    else files.set(path, state === "A" ? "all" : (lines.get(path) ?? (from === undefined ? "all" : [])));
  }
  for (const path of untracked.split("\0")) if (path !== "") files.set(path, "all");
  return { base: name, commit, files, removed };
}

/** Reads the text of a file at the base of a change; null when it did not exist there. */
export async function readAtBase(from: Git, change: Change, path: string): Promise<string | null> {
  const { exitCode, stdout } = await runGit("cat-file", ["blob", `${change.commit}:./${path}`], from);
  return exitCode === 0 ? stdout : null;
}

interface StatusEntry {
  state: string;
  path: string;
  /** The old path of a rename. */
  from?: string | undefined;
}

/** Reads `--name-status -z`: `M\0path\0`, `R100\0old\0new\0`. */
function readStatus(status: string): StatusEntry[] {
  const words = status.split("\0");
  const entries: StatusEntry[] = [];
  for (let at = 0; at + 1 < words.length; ) {
    const state = words[at++]?.charAt(0) ?? "";
    const from = state === "R" || state === "C" ? words[at++] : undefined;
    entries.push({ state, path: words[at++] ?? "", from: state === "R" ? from : undefined });
  }
  return entries;
}

async function expectCheckout(from: Git): Promise<void> {
  let ran: { exitCode: number; stdout: string; stderr: string };
  try {
    ran = await runGit("rev-parse", ["--is-bare-repository", "--is-inside-work-tree"], from);
  } catch (error) {
    from.signal?.throwIfAborted();
    throw refuse(`it needs git: ${(error as Error).message}`);
  }
  const [isBare, isInside] = ran.stdout.trim().split("\n");
  if (ran.exitCode === 0 && isInside === "true") return;
  if (isBare === "true" || ran.stderr.includes("bare repository"))
    throw refuse(`${from.directory} is a bare repository; review a checkout of it`);
  throw refuse(`${from.directory} is not in a git checkout; review it without --changed`);
}

async function findBase(
  from: Git & { base?: string | undefined },
  head: string,
): Promise<{ name: string; commit: string }> {
  if (from.base !== undefined) {
    const base = await commitOf(from, from.base);
    if (base === null) throw await unknownBase(from, from.base);
    return { name: from.base, commit: await mergeBase(from, head, from.base, base) };
  }
  const isDetached = (await git(from, "rev-parse", ["--symbolic-full-name", "HEAD"])).trim() === "HEAD";
  for (const name of DEFAULT_BASES) {
    const base = await commitOf(from, name);
    if (base === null) continue;
    const commit = await mergeBase(from, head, name, base);
    if (!isDetached || commit !== head) return { name, commit };
    break;
  }
  const parent = await commitOf(from, "HEAD^1");
  if (parent !== null) return { name: "HEAD^1", commit: parent };
  const hint = (await isShallow(from)) ? SHALLOW_HINT : "name it: --changed=BASE";
  throw refuse(`no base was found (looked for ${DEFAULT_BASES.join(", ")}, and the parent of HEAD); ${hint}`);
}

const SHALLOW_HINT =
  "the clone is shallow: run `git fetch --unshallow` first (in GitHub Actions: `fetch-depth: 0` of actions/checkout)";

async function mergeBase(from: Git, head: string, name: string, base: string): Promise<string> {
  const { exitCode, stdout } = await runGit("merge-base", [head, base], from);
  const commit = stdout.trim();
  if (exitCode === 0 && commit !== "") return commit;
  const why = (await isShallow(from)) ? SHALLOW_HINT : "their histories are unrelated; name another base";
  throw refuse(`HEAD and ${name} have no common commit; ${why}`);
}

async function unknownBase(from: Git, base: string): Promise<SwarmError> {
  const listed = await runGit("rev-parse", ["--symbolic", "--branches", "--remotes", "--tags"], from);
  const names = listed.stdout.split("\n").filter((name) => name !== "");
  const meant = nearest(base, names);
  const known = names.slice(0, MAX_SHOWN_BRANCHES).join(", ");
  const more = names.length > MAX_SHOWN_BRANCHES ? ", …" : "";
  const hint = meant === undefined ? `known: ${known}${more}` : `did you mean ${meant}?`;
  const shallow = (await isShallow(from)) ? `; ${SHALLOW_HINT}` : "";
  return refuse(`there is no commit, branch or tag ${base}; ${hint}${shallow}`);
}

async function isShallow(from: Git): Promise<boolean> {
  const { stdout } = await runGit("rev-parse", ["--is-shallow-repository"], from);
  return stdout.trim() === "true";
}

/** Returns the commit of a name; null when there is none. */
async function commitOf(from: Git, name: string): Promise<string | null> {
  const args = ["--verify", "--quiet", "--end-of-options", `${name}^{commit}`];
  const { exitCode, stdout } = await runGit("rev-parse", args, from);
  return exitCode === 0 ? stdout.trim().split("\n").at(-1) || null : null;
}

async function git(from: Git, command: "diff" | "ls-files" | "rev-parse", args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runGit(command, args, from);
  if (exitCode === 0) return stdout;
  throw new SwarmError(
    "tool_failed",
    `git ${command} failed: ${stderr.split("\n")[0] ?? `exit code ${exitCode}`}`,
  );
}

function refuse(message: string): SwarmError {
  return new SwarmError("invalid_input", `--changed: ${message}`, { field: "changed" });
}
