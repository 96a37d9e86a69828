// Reads the git checkout around a reviewed directory: its root, its commit, and the web address of its repository. Only reads:
// git runs no hook, filter or monitor for these questions.
import type { Checkout } from "./formats/index.ts";
import { type GitCommand, runGit } from "./safety/index.ts";

/** Reads the checkout of a directory; null outside a checkout, or when git is missing or refuses the directory. */
export async function readCheckout(directory: string, signal?: AbortSignal): Promise<Checkout | null> {
  const ask = async (command: GitCommand, ...argv: string[]): Promise<string | null> => {
    try {
      const { exitCode, stdout } = await runGit(command, argv, { directory, signal });
      return exitCode === 0 ? stdout.replace(/\r?\n$/, "") : null;
    } catch {
      signal?.throwIfAborted();
      return null;
    }
  };
  const [prefix, revision, branch, remote] = await Promise.all([
    ask("rev-parse", "--show-prefix"),
    ask("rev-parse", "--verify", "--quiet", "HEAD"),
    ask("symbolic-ref", "--short", "--quiet", "HEAD"),
    ask("config --get", "remote.origin.url"),
  ]);
  return prefix === null ? null : { prefix, revision, branch, webUrl: webUrlOf(remote ?? "") };
}

/**
 * Returns the web address of a remote: `https://host/owner/name`, without user name, password and `.git`; null for a path or
 * another protocol.
 */
export function webUrlOf(remote: string): string | null {
  // `git@host:owner/name.git` is SSH's short form.
  const ssh = /^(?:ssh:\/\/)?(?:[^@/\s]+@)?([\w.-]+)(?::\d+\/|[:/])(?!\/)([^\s]+?)(?:\.git)?\/?$/;
  if (!/^(?:git\+)?https?:\/\//.test(remote)) {
    const [, host, path] = /^(?:ssh:\/\/|[^@/\s]+@[\w.-]+:)/.test(remote) ? (ssh.exec(remote) ?? []) : [];
    return host === undefined || path === undefined ? null : toUrl(`https://${host}/${path}`);
  }
  return toUrl(remote.replace(/^git\+/, ""));
}

function toUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  return `https://${url.host}${url.pathname.replace(/\.git$|\/$/g, "")}`;
}
