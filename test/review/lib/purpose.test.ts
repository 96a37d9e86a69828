import { expect, test } from "vitest";
import { isAside, purposeOf } from "../../../agents/lib/review/purpose.ts";

test.each([
  ["src/server.ts", "production"],
  ["src/environments/environment.ts", "production"],
  ["src/app/app.config.ts", "production"],
  [".env", "production"],
  ["docker/keys/server.key", "production"],
  ["test/server.ts", "test"],
  ["src/button.cy.tsx", "test"],
  ["cypress/support/commands.js", "test"],
  ["apps/web-e2e/src/login.ts", "test"],
  ["benchmark/index.ts", "benchmark"],
  ["src/parse.bench.ts", "benchmark"],
  ["examples/http2/key.pem", "example"],
  [".env.example", "example"],
  ["config/settings.sample.json", "example"],
  ["src/button.stories.tsx", "example"],
  ["scripts/release.js", "build"],
  ["Jakefile.js", "build"],
  ["Gruntfile.js", "build"],
  ["webpack.prod.config.js", "build"],
  ["packages/a/vite.config.ts", "build"],
  ["vendor/a.js", "vendored"],
])("%s is %s", (file, purpose) => {
  expect(purposeOf(file)).toBe(purpose);
});

test("code that supports a project is aside, also when it is a test", () => {
  expect(["scripts/a.ts", "bench/a.ts", "examples/test/a.ts"].every(isAside)).toBe(true);
  expect(isAside("src/a.ts")).toBe(false);
});
