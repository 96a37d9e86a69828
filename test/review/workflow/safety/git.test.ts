import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runGit, trustedPath } from "../../../../workflows/review/index.ts";

let outside: string;
beforeAll(async () => {
  outside = await mkdtemp(join(tmpdir(), "review-git-"));
});
afterAll(() => rm(outside, { recursive: true }));

/** Runs plain git, as a person would, to prepare a repository or to show that a trap works. */
function git(directory: string, ...args: string[]): void {
  const identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"];
  execFileSync("git", [...identity, ...args], {
    cwd: directory,
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 10_000,
  });
}

/** Makes a repository with one commit and a changed file, and a trap: a program that leaves a mark outside the repository. */
async function setup(name: string) {
  const directory = join(outside, name);
  const marks = join(outside, `${name}-marks`);
  await mkdir(directory);
  await mkdir(marks);
  git(directory, "init", "-q");
  await writeFile(join(directory, "a.ts"), "export const a = 1;\n");
  git(directory, "add", ".");
  git(directory, "commit", "-qm", "one");
  await writeFile(join(directory, "a.ts"), "export const a = 2;\n");
  const trap = async (path: string) => {
    const file = join(directory, path);
    await writeFile(file, `#!/bin/sh\necho "$0" >"${marks}/${path.replaceAll("/", "_")}"\nexit 1\n`);
    await chmod(file, 0o755);
    return file;
  };
  const set = (key: string, value: string) => git(directory, "config", key, value);
  return { directory, trap, set, marks: () => readdir(marks) };
}

const ask = (directory: string) => ({
  list: () => runGit("ls-files", ["-z", "--cached", "--others", "--exclude-standard"], { directory }),
  diff: () => runGit("diff", ["--name-only", "--relative", "HEAD"], { directory }),
});

/** The ways of a repository to name a program for the commands of a review, and a plain command that shows the trap. */
const WAYS: Record<string, (made: Awaited<ReturnType<typeof setup>>) => Promise<string[]>> = {
  "a monitor": async ({ set, trap }) => {
    set("core.fsmonitor", await trap("monitor.sh"));
    return ["status"];
  },
  "a hook in .git/hooks": async ({ trap }) => {
    await trap(".git/hooks/post-index-change");
    return ["add", "."];
  },
  "a hook in a folder of the repository": async ({ directory, set, trap }) => {
    await mkdir(join(directory, "hooks"));
    await trap("hooks/post-index-change");
    set("core.hooksPath", "hooks");
    return ["add", "."];
  },
  "a clean filter": async ({ directory, set, trap }) => {
    set("filter.trap.clean", await trap("clean.sh"));
    await writeFile(join(directory, ".gitattributes"), "* filter=trap\n");
    return ["diff", "HEAD"];
  },
  "a clean filter whose name contains =": async ({ directory, set, trap }) => {
    set("filter.a=b.clean", await trap("clean.sh"));
    set("filter.a=b.required", "true");
    await writeFile(join(directory, ".git/info/attributes"), "* filter=a=b\n");
    return ["diff", "HEAD"];
  },
  "a process filter": async ({ directory, set, trap }) => {
    set("filter.trap.process", await trap("process.sh"));
    await writeFile(join(directory, ".gitattributes"), "* filter=trap\n");
    return ["diff", "--stat"];
  },
  "a filter of an included configuration": async ({ directory, set, trap }) => {
    const program = await trap("clean.sh");
    await writeFile(join(directory, "more.config"), `[filter "trap"]\nclean = ${program}\n`);
    await writeFile(join(directory, ".gitattributes"), "* filter=trap\n");
    set("include.path", "../more.config");
    return ["diff", "HEAD"];
  },
  "an external diff": async ({ set, trap }) => {
    set("diff.external", await trap("external.sh"));
    return ["diff", "HEAD"];
  },
  "a diff driver": async ({ directory, set, trap }) => {
    set("diff.trap.command", await trap("driver.sh"));
    await writeFile(join(directory, ".gitattributes"), "*.ts diff=trap\n");
    return ["diff", "HEAD"];
  },
  "a text converter": async ({ directory, set, trap }) => {
    set("diff.trap.textconv", await trap("textconv.sh"));
    await writeFile(join(directory, ".gitattributes"), "*.ts diff=trap\n");
    return ["diff", "HEAD"];
  },
  "a monitor of a submodule": async ({ directory, trap }) => {
    const inner = join(directory, "inner");
    await mkdir(inner);
    git(inner, "init", "-q");
    await writeFile(join(inner, "b.ts"), "");
    git(inner, "add", ".");
    git(inner, "commit", "-qm", "inner");
    git(directory, "add", "inner");
    git(directory, "commit", "-qm", "with a submodule");
    git(inner, "config", "core.fsmonitor", await trap("monitor.sh"));
    return ["diff", "HEAD"];
  },
  "a transport for missing objects": async ({ directory, set, trap }) => {
    const { stdout } = await runGit("rev-parse", ["HEAD:a.ts"], { directory });
    const id = stdout.trim();
    await rm(join(directory, ".git/objects", id.slice(0, 2), id.slice(2)));
    set("core.repositoryformatversion", "1");
    set("extensions.partialClone", "origin");
    set("remote.origin.promisor", "true");
    set("remote.origin.url", directory);
    set("remote.origin.uploadpack", await trap("uploadpack.sh"));
    return ["diff", "HEAD"];
  },
};

describe("git in a repository that is not trusted", () => {
  for (const [way, prepare] of Object.entries(WAYS)) {
    test(`git does not run the program of ${way}`, async () => {
      const made = await setup(way.replace(/\W+/g, "-"));
      const plain = await prepare(made);
      const { list, diff } = ask(made.directory);
      expect((await list()).stdout.split("\0")).toContain("a.ts");
      const found = await diff();
      // Without the missing object there is no answer, but an error.
      if (way !== "a transport for missing objects") expect(found.stdout).toContain("a.ts\n");
      expect(await made.marks()).toEqual([]);
      // The trap works: plain git runs it.
      try {
        git(made.directory, ...plain);
      } catch {
        // The trap may break the protocol that git expects.
      }
      expect(await made.marks()).toHaveLength(1);
    });
  }

  test("git runs in a checkout of another owner, and does not refresh its index", async () => {
    const { directory } = await setup("owner");
    await writeFile(join(directory, "a.ts"), "export const a = 1;\n");
    const index = await runGit("rev-parse", ["--git-path", "index"], { directory });
    const before = execFileSync("stat", ["-c", "%y %i", index.stdout.trim()], { cwd: directory }).toString();
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", "1:1", directory]);
    expect((await ask(directory).diff()).exitCode).toBe(0);
    expect(execFileSync("stat", ["-c", "%y %i", index.stdout.trim()], { cwd: directory }).toString()).toBe(
      before,
    );
  });

  test("git does not take a bare repository among the files for the repository", async () => {
    const directory = join(outside, "bare");
    await mkdir(directory);
    git(directory, "init", "-q", "--bare");
    const { exitCode, stderr } = await runGit("rev-parse", ["--git-dir"], { directory });
    expect(exitCode).toBe(128);
    expect(stderr).toContain("bare");
  });

  test("variables of the caller do not lead git to another repository", async () => {
    const { directory } = await setup("variables");
    const other = await setup("other");
    await writeFile(join(other.directory, "other.ts"), "");
    process.env.GIT_DIR = join(other.directory, ".git");
    try {
      const { stdout } = await runGit("rev-parse", ["--show-toplevel"], { directory });
      expect(stdout.trim()).toBe(directory);
    } finally {
      delete process.env.GIT_DIR;
    }
  });

  test("a command that takes too long is stopped with a clear error", async () => {
    const { directory, set } = await setup("fifo");
    execFileSync("mkfifo", [join(directory, "config.fifo")]);
    set("include.path", "../config.fifo");
    await expect(runGit("ls-files", [], { directory, timeoutMs: 200 })).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/^git config took longer than 200 ms/),
    });
  });
});

describe("the PATH of a review", () => {
  test("folders that the reviewed directory can fill are left out", async () => {
    const root = join(outside, "path");
    await mkdir(join(root, "bin"), { recursive: true });
    const folders = [".", "bin", "", join(root, "bin"), root, "/x/node_modules/.bin", "/usr/bin"];
    expect(trustedPath(folders.join(":"), root)).toEqual(["/usr/bin"]);
  });
});
