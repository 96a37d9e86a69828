import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { parseReviewConfig } from "../../../workflows/review/config/index.ts";
import { planReview, scan } from "../../../workflows/review/index.ts";
import { collectIgnoreComments } from "../../../workflows/review/suppress/index.ts";

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

async function setup(files: Record<string, string>, { git = false } = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "review-scan-"));
  made.push(directory);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  if (git) execFileSync("git", ["init", "-q"], { cwd: directory });
  return directory;
}

const paths = async (directory: string) => (await scan(directory)).files.map(({ path }) => path);

describe("listing the files of a repository", () => {
  test("the scan tells the contents of the files that it reads completely, so that they are read once", async () => {
    const long = "a".repeat(200_000);
    const texts = {
      "a.ts": "// murmur-ignore x -- y\n",
      "b.ts": "export {};\n",
      "long.ts": `${long}\n`,
      "e.ts": "",
    };
    const { files } = await scan(await setup(texts));
    const known = new Map(files.map(({ path, contents }) => [path, contents]));
    const of = (text: string) => createHash("sha256").update(text).digest("hex");
    expect(known.get("a.ts")).toEqual({ sha256: of(texts["a.ts"]), hasIgnoreWord: true });
    expect(known.get("b.ts")).toEqual({ sha256: of(texts["b.ts"]), hasIgnoreWord: false });
    expect(known.get("e.ts")).toEqual({ sha256: of(""), hasIgnoreWord: false });
    expect(known.get("long.ts")).toBeUndefined();
  });

  test("a comment in UTF-16 is not overlooked", async () => {
    const directory = await setup({ "a.ts": "" });
    await writeFile(
      join(directory, "a.ts"),
      Buffer.from("\uFEFF// murmur-ignore secret -- a\nx\n", "utf16le"),
    );
    const { files } = await scan(directory);
    expect([...(await collectIgnoreComments(directory, files)).keys()]).toEqual(["a.ts"]);
  });

  for (const git of [true, false]) {
    test(`the scan leaves out files that .gitignore names (${git ? "with" : "without"} git)`, async () => {
      const files = {
        ".gitignore": "built/\n*.log\n!keep.log\n",
        "a.ts": "",
        "built/b.ts": "",
        "x.log": "",
        "keep.log": "",
      };
      expect(await paths(await setup(files, { git }))).toEqual([".gitignore", "a.ts", "keep.log"]);
    });
  }

  test.skipIf(process.getuid?.() === 0)("a folder and a file that may not be read are told", async () => {
    const directory = await setup({ "a.ts": "", "closed.ts": "", "secret/b.ts": "" });
    await chmod(join(directory, "closed.ts"), 0);
    await chmod(join(directory, "secret"), 0);
    const { files, leftOut } = await scan(directory);
    await chmod(join(directory, "secret"), 0o700);
    expect(files.map(({ path }) => path)).toEqual(["a.ts"]);
    expect(leftOut.find(({ reason }) => reason === "unreadable")?.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["closed.ts", "secret/"]),
    );
  });

  test("a walk without git tells the folders that are too deep, and counts the entries that it does not reach", async () => {
    const deep = "d/".repeat(41);
    const { files, leftOut } = await scan(await setup({ "a.ts": "", [`${deep}b.ts`]: "" }));
    expect(files.map(({ path }) => path)).toEqual(["a.ts"]);
    const because = "the folder is deeper than 40 folders";
    expect(leftOut).toEqual([{ reason: "over-the-limit", count: 1, files: [{ path: deep, because }] }]);
    const flat = await setup({ "a.ts": "", "b.ts": "", "c.ts": "", "d.ts": "", "e.ts": "" });
    const cut = await scan(flat, { maxWalkedFiles: 2 });
    expect(cut.files).toHaveLength(2);
    expect(cut.leftOut).toMatchObject([
      {
        reason: "over-the-limit",
        count: 3,
        files: [{ because: "the listing of the directory stopped after 2 files" }],
      },
    ]);
  });

  test("a text in UTF-16 is no binary file", async () => {
    const directory = await setup({ "binary.ts": "a\0b" });
    await writeFile(join(directory, "utf16.ts"), Buffer.from("\uFEFFexport {};\n", "utf16le"));
    expect(await paths(directory)).toEqual(["utf16.ts"]);
  });

  test("the scan leaves out dependencies, build output, fixtures, binaries and bundles", async () => {
    const directory = await setup({
      "src/a.ts": "export const a = 1;\n",
      "node_modules/b/index.js": "",
      "dist/a.js": "",
      "test/fixtures/broken.ts": "",
      "logo.png": "",
      "blob.txt": "a\0b",
      "lib/jquery.min.js": "",
      "lib/bundle.js": `var a=1;${"x();".repeat(1000)}`,
      "lib/schema.ts": "// @generated by a tool\n",
    });
    const found = await scan(directory);
    expect(found.files.map(({ path }) => path)).toEqual(["src/a.ts"]);
    expect(Object.fromEntries(found.leftOut.map(({ reason, count }) => [reason, count]))).toEqual({
      dependency: 1,
      "build-output": 1,
      "test-data": 1,
      binary: 2,
      minified: 2,
      generated: 1,
    });
    expect(found.leftOut[0]?.files).toEqual([{ path: "node_modules/", because: "in node_modules/" }]);
  });

  test("the scan does not follow links", async () => {
    const directory = await setup({ "a.ts": "" });
    await symlink("/etc/passwd", join(directory, "passwd.ts"));
    await symlink("/etc", join(directory, "etc"));
    expect(await paths(directory)).toEqual(["a.ts"]);
  });

  test("the scan does not run a monitor program of the repository's git configuration", async () => {
    const directory = await setup({ "a.ts": "" }, { git: true });
    const trap = join(directory, "trap.sh");
    await writeFile(trap, `#!/bin/sh\ntouch ${join(directory, "trapped")}\n`, { mode: 0o755 });
    execFileSync("git", ["config", "core.fsmonitor", trap], { cwd: directory });
    expect(await paths(directory)).toEqual(["a.ts", "trap.sh"]);
    expect(await paths(directory)).not.toContain("trapped");
  });

  test("the configuration excludes and keeps files, and its limits tell the files that they cut", async () => {
    const directory = await setup(
      {
        "a.ts": "",
        "b.ts": "",
        "legacy/c.ts": "",
        "vendor/own.ts": "// @generated\n",
        "vendor/logo.png": "",
        "z.ts": "x".repeat(200),
      },
      { git: true },
    );
    const config = parseReviewConfig(
      "exclude: [legacy/]\nkeep: [vendor/]\nlimits: { files: 2, fileBytes: 100 }",
      "f",
    );
    const found = await scan(directory, { config });
    expect(found.files.map(({ path }) => path)).toEqual(["a.ts", "b.ts"]);
    expect(found.leftOut.map(({ reason, files }) => `${reason} ${files.map(({ path }) => path)}`)).toEqual([
      "excluded legacy/c.ts",
      "binary vendor/logo.png",
      "too-large z.ts",
      "over-the-limit vendor/own.ts",
    ]);
  });

  test("a file in an ignore list of a linter is reviewed, and not linted", async () => {
    const directory = await setup({ ".eslintignore": "old/\n", "old/a.ts": "", "b.ts": "" });
    const found = await scan(directory);
    expect(found.files.filter(({ unlinted }) => unlinted === true).map(({ path }) => path)).toEqual([
      "old/a.ts",
    ]);
    expect(found.leftOut).toMatchObject([
      { reason: "linter-ignore", files: [{ path: "old/a.ts", because: ".eslintignore" }] },
    ]);
    const linted = planReview(found.files).find(({ by }) => "linters" in by);
    expect(linted?.files).toEqual(["b.ts"]);
  });

  test("copied libraries, sockets and submodules are told", async () => {
    const directory = await setup(
      {
        "package.json": '{"name":"@us/shop"}',
        "js/jquery.js": "/*!\n * jQuery JavaScript Library v1.12.4\n * MIT license\n */\n",
        "js/shop.js": "/*!\n * Shop v1.0.0\n * MIT license\n */\n",
      },
      { git: true },
    );
    execFileSync("mkfifo", [join(directory, "pipe.ts")]);
    const commit = "0123456789012345678901234567890123456789";
    execFileSync("git", ["update-index", "--add", "--cacheinfo", `160000,${commit},sub`], { cwd: directory });
    await mkdir(join(directory, "sub"));
    const found = await scan(directory);
    expect(found.files.map(({ path }) => path)).toEqual(["js/shop.js", "package.json"]);
    expect(found.leftOut.map(({ reason }) => reason)).toEqual(["vendored", "submodule", "not-a-file"]);
  });
});
