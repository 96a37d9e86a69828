import { expect, test } from "vitest";
import { isLoadedByPlace, isVirtual, MADE_NAME } from "../../../agents/lib/review/graph/conventions.ts";

test.each(["api.generated.ts", "gen", "schema.graphql.d.ts", "user_pb-grpc.js", "src/version.ts"])(
  "%s has the name of a file that a tool makes",
  (path) => {
    expect(MADE_NAME.test(path)).toBe(true);
  },
);

test.each(["src/main.ts", "generation.ts", "gen-", "gen..ts"])("%s has not", (path) => {
  expect(MADE_NAME.test(path)).toBe(false);
});

test("a hostile file name is judged at once", () => {
  // A pattern with a choice at each dash would not end within the test's time.
  expect(MADE_NAME.test(`gen${"-".repeat(1_000)}!`)).toBe(false);
});

test.each([
  "@sapper/app",
  "@ioc:Adonis/Core/Route",
  "@site/src/theme",
  "@salesforce/apex/A.b",
  "uno.css",
  "virtual:uno.css",
  "virtual:windi-devtools",
  "uno:components.css",
  "~icons/carbon/sun",
  "~pages",
  "~build/meta",
  "generated-pages",
  "\0plugin/helpers",
  "unfonts.css",
  "contentlayer/generated",
  "styled-system/css",
  "__STATIC_CONTENT_MANIFEST",
])("%j is answered by a build tool", (specifier) => {
  expect(isVirtual(specifier)).toBe(true);
});

test.each(["react", "styled-system", "normalize.css", "source/a", "generated", "./uno.css", "pages"])(
  "%j is a package or a file",
  (specifier) => {
    expect(isVirtual(specifier)).toBe(false);
  },
);

test.each([
  ["sapper", "src/routes/[list]/rss.js"],
  ["sapper", "src/client.js"],
  ["loopback", "server/boot/root.js"],
  ["@11ty/eleventy", "src/_data/site.js"],
])("%s loads %s by its place, and other programs do not", (dependency, path) => {
  expect(isLoadedByPlace(path, [dependency])).toBe(true);
  expect(isLoadedByPlace(path, ["svelte"])).toBe(false);
});
