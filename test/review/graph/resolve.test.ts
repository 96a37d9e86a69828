import { describe, expect, test } from "vitest";
import { readTsConfig, tsAliases } from "../../../agents/lib/review/graph/aliases.ts";
import { parseJsonc } from "../../../agents/lib/review/graph/data.ts";
import { Hints, looseImports, pathsIn } from "../../../agents/lib/review/graph/evidence.ts";
import { findSource, listFiles } from "../../../agents/lib/review/graph/listing.ts";
import { Packages, readPackage } from "../../../agents/lib/review/graph/packages.ts";
import { Resolver } from "../../../agents/lib/review/graph/resolve.ts";

const FILES = [
  "src/main.ts",
  "src/a.ts",
  "src/b.js",
  "src/card.vue",
  "src/button.ios.js",
  "src/folder/index.ts",
  "src/entry/start.ts",
  "src/users/users.service.ts",
  "packages/core/src/index.ts",
  "packages/core/src/extra.ts",
];

/** Resolves a specifier in src/main.ts among FILES. */
function setup(given: {
  manifest?: object;
  tsconfig?: string;
  exists?: readonly string[];
  ignored?: readonly string[];
}) {
  const listing = listFiles(FILES, (path) => given.exists?.includes(path) ?? false);
  const core = {
    name: "@mono/core",
    main: "dist/index.js",
    exports: { ".": "./dist/index.mjs", "./x/*": "./dist/*.mjs" },
  };
  const manifests = { "package.json": given.manifest ?? {}, "packages/core/package.json": core };
  const packages = new Packages(
    Object.entries(manifests).flatMap(
      ([file, manifest]) => readPackage(file, JSON.stringify(manifest)) ?? [],
    ),
    listing,
  );
  const config = readTsConfig("tsconfig.json", given.tsconfig ?? "{}");
  if (config === null) throw new Error("the tsconfig of this test does not parse");
  const aliases = tsAliases(new Map([[config.file, config]]), () => null);
  const isIgnored = (path: string) => given.ignored?.includes(path) ?? false;
  const resolver = new Resolver({ listing, packages, aliases, rootDirs: [], isIgnored });
  return (specifier: string) => {
    const found = resolver.resolve("src/main.ts", specifier);
    return found.state === "file"
      ? found.to
      : found.state === "package"
        ? `package ${found.name}`
        : found.state;
  };
}

test("a missing path names the file whose capitals alone differ", () => {
  const listing = listFiles(["src/main.ts", "src/Card.vue", "src/list.ts"], () => false);
  const packages = new Packages([], listing);
  const resolver = new Resolver({ listing, packages, aliases: [], rootDirs: [], isIgnored: () => false });
  const nearOf = (specifier: string) => {
    const found = resolver.resolve("src/main.ts", specifier);
    return found.state === "missing" ? found.near : found.state;
  };
  expect(["./card.vue", "./List", "./gone", "./list"].map(nearOf)).toEqual([
    "src/Card.vue",
    "src/list.ts",
    null,
    "file",
  ]);
});

describe("a specifier is resolved as Node, TypeScript and bundlers do", () => {
  test.each([
    ["./a", "src/a.ts", "an added extension"],
    ["./a.js", "src/a.ts", "the name of the compiled file"],
    ["./b.js", "src/b.js", "a file as written"],
    ["./card.vue?raw", "src/card.vue", "a query of a bundler"],
    ["./button", "src/button.ios.js", "a platform's variant"],
    ["./folder", "src/folder/index.ts", "a folder's index"],
    [".", "missing", "no index in the own folder"],
    ["../..", "outside", "above the directory"],
    ["!!raw-loader!./b.js", "src/b.js", "a loader of webpack"],
    ["fs", "outside", "a builtin without node:"],
    ["fs/promises", "outside", "a builtin with a path"],
    ["bun:sqlite", "outside", "a builtin of another runtime"],
    ["jsr:@std/path", "outside", "a scheme"],
    ["https://example.com/a.js", "outside", "a URL"],
    ["virtual:pwa-register", "outside", "a virtual module"],
    ["$app/navigation", "outside", "a module of SvelteKit"],
    ["@mono/core", "packages/core/src/index.ts", "a workspace package, whose entry is made of a source"],
    ["@mono/core/x/extra", "packages/core/src/extra.ts", "a pattern of exports"],
    ["@/a", "src/a.ts", "a common alias without a configuration"],
    ["@/gone", "unsure", "a common alias without a file"],
    ["app/users/users.service", "unsure", "a tail that agrees with a file"],
    ["lodash/fp", "package lodash", "a package"],
    ["./gone.js", "missing", "a path without a file"],
    ["./generated/client.js", "unsure", "a path that a build makes"],
    ["./{{name}}.js", "unsure", "a placeholder of a template"],
  ])("%s → %s: %s", (specifier, expected) => {
    expect(setup({})(specifier)).toBe(expected);
  });

  test("a base of a tsconfig that is not installed costs only its own options", () => {
    const tsconfig =
      '{ "extends": "@company/base", "compilerOptions": { "baseUrl": ".", "paths": { "~a": ["src/a.ts"] } } }';
    const resolve = setup({ tsconfig });
    expect(["./a.js", "~a", "src/b.js", "react"].map(resolve)).toEqual([
      "src/a.ts",
      "src/a.ts",
      "src/b.js",
      "package react",
    ]);
  });

  test("a file below baseUrl that is not reviewed is no package, such as a picture", () => {
    const tsconfig = '{ "compilerOptions": { "baseUrl": "src" } }';
    const resolve = setup({ tsconfig, exists: ["src/images/logo.png", "src/react", "src/legacy/old.js"] });
    expect(["images/logo.png", "legacy/old", "images/gone.png", "react"].map(resolve)).toEqual([
      "outside",
      "outside",
      "package images",
      "package react",
    ]);
  });

  test("a picture below a folder of sources is no package, whatever names the folder", () => {
    const resolve = setup({ exists: ["src/assets/a.svg", "src/lodash/fp.js"] });
    expect(["assets/a.svg", "lodash/fp"].map(resolve)).toEqual(["outside", "package lodash"]);
  });

  test("imports of the own package, and its own name", () => {
    const resolve = setup({
      manifest: { name: "own", exports: "./src/a.ts", imports: { "#b": "./src/b.js", "#x/*": "./src/*.ts" } },
    });
    expect(["own", "#b", "#x/a"].map(resolve)).toEqual(["src/a.ts", "src/b.js", "src/a.ts"]);
  });

  test("a file that exists and is not reviewed is not missing, nor is a file that git ignores", () => {
    expect(setup({ exists: ["src/big.js"] })("./big")).toBe("outside");
    expect(setup({ exists: ["src/look.scss"] })("./look")).toBe("outside");
    expect(setup({ ignored: ["src/client.js"] })("./client")).toBe("unsure");
  });

  test("a file that a script of package.json makes is not missing", () => {
    expect(
      setup({ manifest: { scripts: { prepare: "peg -o src/grammar-of-x.js" } } })("./grammar-of-x.js"),
    ).toBe("unsure");
  });
});

test("an output of a build leads to its source", () => {
  const listing = listFiles(FILES, () => false);
  const sources = ["dist/a.js", "dist/esm/a.min.mjs", "lib/entry/start.d.ts", "dist/none.js"];
  expect(sources.map((path) => findSource(listing, ".", path))).toEqual([
    "src/a.ts",
    "src/a.ts",
    "src/entry/start.ts",
    null,
  ]);
});

test("JSON with comments and trailing commas is data, and strings stay as they are", () => {
  const text = '\uFEFF{ // one\n "a": "// no /* comment */ ,]", /* two */ "b": [1, 2,], }';
  expect(parseJsonc(text)).toEqual({ a: "// no /* comment */ ,]", b: [1, 2] });
  expect(parseJsonc("{ broken")).toBeUndefined();
});

test("texts name files: relative, by a pattern, by the end of a path", () => {
  const hints = new Hints(
    listFiles(FILES, () => false),
    FILES,
  );
  const of = (path: string) => hints.filesOf(path, ["src", "."]);
  expect(of("./entry/*.js")).toEqual(["src/entry/start.ts"]);
  expect(of("/src/a.js")).toContain("src/a.ts");
  expect(of("core/src/extra.ts")).toEqual(["packages/core/src/extra.ts"]);
  expect(of("text/plain")).toEqual([]);
  expect(of("**")).toEqual([]);
});

test("hostile texts take linear time", () => {
  const texts = [
    "import ".repeat(5_000),
    "a".repeat(50_000),
    '"'.repeat(20_000),
    "/*".repeat(50_000),
    `import ${" ".repeat(50_000)}`,
  ];
  const startedMs = performance.now();
  for (const text of texts) {
    pathsIn(text);
    looseImports(text);
    parseJsonc(text);
  }
  // Linear work takes some ten milliseconds; the square of these lengths would take minutes.
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});
