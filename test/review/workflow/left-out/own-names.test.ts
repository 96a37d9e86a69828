import { expect, test } from "vitest";
import { findLibraries, ownNamesOf, readBanner } from "../../../../workflows/review/left-out/index.ts";

const manifest = (name: string, repository?: unknown) => JSON.stringify({ name, repository });
const banner = (name: string) => `/*! ${name} v1.14.2\n * MIT */\n`;

function leftOut(manifests: Record<string, string>, heads: Record<string, string>): string[] {
  const files = Object.entries(heads).map(([path, head]) => ({ path, banner: readBanner(head) }));
  const names = ownNamesOf("checkout", new Map(Object.entries(manifests)));
  return [...findLibraries(files, names).keys()];
}

test("a library that was copied with its manifest is left out, also in its other places", () => {
  const manifests = {
    "package.json": manifest("finder", { type: "git", url: "https://github.com/us/finder.git" }),
    "libs/jquery-ui-1.14/package.json": manifest("jquery-ui", {
      url: "git://github.com/jquery/jquery-ui.git",
    }),
  };
  const heads = {
    "libs/jquery-ui-1.14/jquery-ui.js": banner("jQuery UI"),
    "js/jquery-ui.js": banner("jQuery UI"),
    "js/finder.js": banner("Finder"),
  };
  expect(leftOut(manifests, heads)).toEqual(["libs/jquery-ui-1.14/jquery-ui.js", "js/jquery-ui.js"]);
});

test("a package of the same repository is the project's own everywhere", () => {
  const manifests = {
    "package.json": manifest("root", "github:Us/Grid"),
    "packages/core/package.json": manifest("@grid/engine", {
      url: "git+https://github.com/us/grid.git",
      directory: "packages/core",
    }),
  };
  expect(leftOut(manifests, { "site/engine.js": banner("Engine") })).toEqual([]);
});

test("a package without a repository is the project's own in its folder", () => {
  const manifests = { "package.json": manifest("root", "us/root"), "tool/package.json": manifest("engine") };
  const heads = { "tool/engine.js": banner("Engine"), "vendored/engine.js": banner("Engine") };
  expect(leftOut(manifests, heads)).toEqual(["vendored/engine.js"]);
});
