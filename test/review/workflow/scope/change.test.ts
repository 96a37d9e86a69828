import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { architecture, docs } from "../../../../agents/lib/review/index.ts";
import { renderBaseline } from "../../../../workflows/review/baseline/index.ts";
import { BASELINE_FILE, prepareReview, reaches, runReview } from "../../../../workflows/review/index.ts";
import { placeInChange, readChange } from "../../../../workflows/review/scope/index.ts";
import { localSwarm } from "../../local-swarm.ts";

const made: string[] = [];
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true });
});

const FACTS = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"];

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), "review-change-"));
  made.push(directory);
  return directory;
}

/** A repository with one commit on `main`, and a branch `work` that is checked out. */
function setup(files: Record<string, string>) {
  const directory = folder();
  const git = (...args: string[]) =>
    execFileSync("git", [...FACTS, ...args], { cwd: directory, encoding: "utf8", stdio: "pipe" });
  const write = (all: Record<string, string>) => {
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
  };
  const commit = () => git("commit", "-qam", "x");
  git("init", "-q");
  write(files);
  git("add", "-A");
  commit();
  git("checkout", "-qb", "work");
  return { directory, git, write, commit };
}

const LINES = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";

describe("a change", () => {
  test("is everything since the merge base: commits, uncommitted and untracked files, renames and removals", async () => {
    const { directory, git, write, commit } = setup({
      "a.ts": LINES,
      "b.ts": LINES,
      "old name.ts": LINES,
      "gone.ts": "x",
    });
    write({ "a.ts": LINES.replace("3", "three") });
    git("mv", "old name.ts", "ä.ts");
    git("rm", "-q", "gone.ts");
    commit();
    git("checkout", "-q", "main");
    write({ "b.ts": "another\n" });
    commit();
    git("checkout", "-q", "work");
    write({
      "a.ts": `${LINES.replace("3", "three")}10\n`,
      "new.ts": "x",
      "ä.ts": LINES.replace("9", "nine"),
    });
    const change = await readChange({ directory });
    expect(change.base).toBe("main");
    expect(Object.fromEntries(change.files)).toEqual({
      "a.ts": [
        [3, 3],
        [10, 10],
      ],
      "ä.ts": [[9, 9]],
      "new.ts": "all",
    });
    expect([...change.removed].sort()).toEqual(["gone.ts", "old name.ts"]);
    const at = (file: string, line: number) => placeInChange(change, { file, line });
    expect([at("a.ts", 3), at("a.ts", 4), at("new.ts", 7), at("b.ts", 1)]).toEqual([
      "line",
      "file",
      "line",
      "outside",
    ]);
  });

  test("that removes a file causes the findings about the missing file", async () => {
    const { directory, git, commit } = setup({
      "README.md": "[older](docs/older.md)\n\n[older](docs/older.md), [guide](docs/guide.md)\n",
      "docs/guide.md": "# Guide\n",
      "src/main.js": 'import "./part.js";\nimport "./gone.js";\n',
      "src/part.js": "1;\n",
      "package.json": "{}",
    });
    git("rm", "-q", "docs/guide.md", "src/part.js");
    commit();
    const swarm = localSwarm({ "review-docs": docs, "review-architecture": architecture });
    const options = { directory, only: ["review-docs", "review-architecture"], changed: "main" } as const;
    const report = await runReview(swarm, options);
    const found = report.findings.map(({ kind, targets, inChange }) => [kind, targets?.join(), inChange]);
    expect(found.sort()).toEqual([
      ["broken-link", "docs/older.md,docs/guide.md", "line"],
      ["broken-link", "docs/older.md", "outside"],
      ["unresolved-import", "src/gone.js", "outside"],
      ["unresolved-import", "src/part.js", "line"],
    ]);
    expect(reaches(report, "high")).toBe(true);
  });

  test.each([
    ["src/part", true],
    ["src/part.js", true],
    ["src", true],
    ["src/par", false],
    ["part.js", false],
  ])("the name %s in code can mean the removed src/part.ts: %s", (target, isMeant) => {
    const change = { base: "main", commit: "", files: new Map(), removed: ["src/part.ts"] };
    expect(placeInChange(change, { file: "a.ts", line: 1, targets: [target] })).toBe(
      isMeant ? "line" : "outside",
    );
  });

  test("of a folder names files from that folder", async () => {
    const { directory, write } = setup({ "pkg/a.ts": "x", "b.ts": "x" });
    write({ "pkg/a.ts": "y", "b.ts": "y" });
    const change = await readChange({ directory: join(directory, "pkg") });
    expect([...change.files.keys()]).toEqual(["a.ts"]);
  });

  test("on a detached HEAD that is the base itself begins at the first parent", async () => {
    const { directory, git, write, commit } = setup({ "a.ts": "x" });
    git("checkout", "-q", "main");
    write({ "a.ts": "y" });
    commit();
    git("checkout", "-q", "--detach");
    expect(await readChange({ directory })).toMatchObject({ base: "HEAD^1" });
  });

  test("is compared with the remote's default branch before the local one", async () => {
    const { directory, git } = setup({ "a.ts": "x" });
    git("update-ref", "refs/remotes/origin/trunk", "main");
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk");
    expect((await readChange({ directory })).base).toBe("origin/HEAD");
    expect((await readChange({ directory, base: "main" })).base).toBe("main");
  });
});

describe("a change that cannot be found", () => {
  const reject = async (input: { directory: string; base?: string }, message: string) =>
    await expect(readChange(input)).rejects.toMatchObject({
      code: "invalid_input",
      field: "changed",
      message: expect.stringContaining(message),
    });

  test("without a checkout, in a bare repository, or without a commit tells the reason", async () => {
    const directory = folder();
    await reject({ directory }, "is not in a git checkout; review it without --changed");
    execFileSync("git", ["init", "-q", "--bare", join(directory, "bare")]);
    await reject({ directory: join(directory, "bare") }, "is a bare repository");
    execFileSync("git", ["init", "-q", join(directory, "empty")]);
    await reject({ directory: join(directory, "empty") }, "no commit yet");
  });

  test("names the branches that exist", async () => {
    const { directory } = setup({ "a.ts": "x" });
    await reject({ directory, base: "man" }, "no commit, branch or tag man; did you mean main?");
    await reject({ directory, base: "elsewhere" }, "known: main, work");
    await reject({ directory, base: "--output=x" }, "no commit, branch or tag --output=x");
  });

  test("in a shallow clone tells how to fetch the base", async () => {
    const { directory, write, commit } = setup({ "a.ts": "x" });
    write({ "a.ts": "y" });
    commit();
    const clone = join(folder(), "clone");
    execFileSync("git", ["clone", "-q", "--depth=1", "--no-single-branch", `file://${directory}`, clone]);
    await reject({ directory: clone, base: "origin/main" }, "run `git fetch --unshallow` first");
    await reject({ directory: clone, base: "v1" }, "the clone is shallow");
  });
});

test("a change that edits the configuration is reviewed by the configuration of the base", async () => {
  const { directory, write } = setup({ "murmur-review.yaml": "exclude: [a]\n" });
  write({ "murmur-review.yaml": "exclude: ['*']\n" });
  const prepared = await prepareReview({ directory, changed: true });
  expect(prepared).toMatchObject({ config: { exclude: ["a"] }, configFile: "main:murmur-review.yaml" });
  expect(await prepareReview({ directory })).toMatchObject({ config: { exclude: ["*"] } });
  const named = await prepareReview({
    directory,
    changed: true,
    configFile: join(directory, "murmur-review.yaml"),
  });
  expect(named).toMatchObject({ config: { exclude: ["a"] } });
});

test("a change that edits the baseline is reviewed by the baseline of the base, which knows nothing when it is new", async () => {
  const known = { fingerprint: "0".repeat(16), kind: "secret", file: "a.ts", line: 1, anchor: "x" };
  const { directory, write, git } = setup({ [BASELINE_FILE]: renderBaseline([]) });
  write({ [BASELINE_FILE]: renderBaseline([known]), "ci.json": renderBaseline([known]) });
  const prepared = await prepareReview({ directory, changed: true, baseline: true });
  expect(prepared.baseline).toMatchObject({ name: `main:${BASELINE_FILE}`, entries: [] });
  const added = await prepareReview({ directory, changed: true, baseline: join(directory, "ci.json") });
  expect(added.baseline).toMatchObject({ name: "main:ci.json", entries: [] });
  expect(await prepareReview({ directory, baseline: true })).toMatchObject({
    baseline: { entries: [known] },
  });
  git("checkout", "-q", BASELINE_FILE);
  expect(await prepareReview({ directory, changed: true, baseline: true })).toMatchObject({
    baseline: { name: BASELINE_FILE },
  });
});
