import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readCheckout, webUrlOf } from "../../../workflows/review/index.ts";

function setup() {
  const directory = mkdtempSync(join(tmpdir(), "review-checkout-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("a checkout tells the folder below its root, its branch, and the address of its repository without a password", async () => {
  const directory = setup();
  const git = (...argv: string[]) => execFileSync("git", argv, { cwd: directory });
  git("init", "--quiet", "--initial-branch", "topic/one");
  git("remote", "add", "origin", "https://user:word@github.example.test/owner/name.git");
  mkdirSync(join(directory, "packages/a"), { recursive: true });
  const checkout = await readCheckout(join(directory, "packages/a"));
  expect(checkout).toEqual({
    prefix: "packages/a/",
    revision: null,
    branch: "topic/one",
    webUrl: "https://github.example.test/owner/name",
  });
});

test("a directory outside a checkout has none", async () => {
  expect(await readCheckout(setup())).toBeNull();
});

test.each([
  ["git@github.com:owner/name.git", "https://github.com/owner/name"],
  ["ssh://git@host.test:2222/owner/name", "https://host.test/owner/name"],
  ["git+https://github.com/owner/name.git", "https://github.com/owner/name"],
  ["https://token@host.test/owner/name/", "https://host.test/owner/name"],
  ["/srv/git/name.git", null],
  ["../name", null],
  ["ext::sh -c x", null],
  ["", null],
])("the web address of the remote %j is %j", (remote, expected) => {
  expect(webUrlOf(remote)).toBe(expected);
});
