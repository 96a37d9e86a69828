// Reads the git checkout around a reviewed directory: its root, its commit, and the web address of its repository. Only reads:
// git runs no hook, filter or monitor for these questions.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Checkout } from "./formats/index.ts";

/** The time limit of one question to git. It answers in milliseconds, even in large repositories. */
const GIT_TIMEOUT_MS = 10_000;

/** Reads the checkout of a directory; null outside a checkout, or when git is missing or refuses the directory. */
export async function readCheckout(directory: string, signal?: AbortSignal): Promise<Checkout | null> {
  const ask = async (...argv: string[]): Promise<string | null> => {
    try {
      const { stdout } = await promisify(execFile)("git", ["-c", "core.fsmonitor=false", ...argv], {
        cwd: directory,
        timeout: GIT_TIMEOUT_MS,
        env: { ...process.env, GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" },
        ...(signal === undefined ? {} : { signal }),
      });
      return stdout.replace(/\r?\n$/, "");
    } catch {
      signal?.throwIfAborted();
      return null;
    }
  };
  const [prefix, revision, branch, remote] = await Promise.all([
    ask("rev-parse", "--show-prefix"),
    ask("rev-parse", "--verify", "--quiet", "HEAD"),
    ask("symbolic-ref", "--short", "--quiet", "HEAD"),
    ask("config", "--get", "remote.origin.url"),
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
