// The script of the console as it is committed, and the page that the API serves.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { pageRoutes } from "../../src/app/http/console/page.ts";
import { buildConsole, CONSOLE_SCRIPT } from "../../tools/build/console.ts";
import { setupApi, writeTokens } from "../app/http/setup.ts";

const root = join(import.meta.dirname, "../..");
const FILES = ["/", "/console.js", "/console.css", "/console.svg"];

test("the committed script is made from the present sources (node tools/build/generate.ts)", async () => {
  const script = await buildConsole(root);
  expect(readFileSync(join(root, CONSOLE_SCRIPT), "utf8") === script).toBe(true);
  expect(script).not.toMatch(/innerHTML\s*=[^=]*(?<!html)$|\beval\(|new Function\(/m);
  expect(script).not.toContain("node_modules");
});

test("all files of the console have at most 150 KB compressed", () => {
  const bytes = FILES.map((path) =>
    readFileSync(join(root, "console/page", path === "/" ? "index.html" : path)),
  );
  const compressed = bytes.reduce((sum, file) => sum + brotliCompressSync(file).length, 0);
  expect(compressed).toBeLessThan(150 * 1024);
});

test("the API serves the console without a token, compressed, with a strict policy and a tag", async () => {
  const { tokens } = await writeTokens([{ secret: "murmur_a", name: "a", access: "read" }]);
  const { send } = await setupApi({ tokens });
  for (const path of FILES) {
    const answer = await send(`GET ${path}`, { headers: { "Accept-Encoding": "gzip, br" } });
    expect([answer.status, answer.headers.get("content-encoding")], path).toEqual([200, "br"]);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    const tag = answer.headers.get("etag") ?? "";
    expect((await send(`GET ${path}`, { headers: { "If-None-Match": tag } })).status).toBe(304);
  }
  expect(await (await send("GET /")).text()).not.toMatch(/<script>|style=| on\w+=|https?:/);
  expect((await send("POST /")).status).toBe(405);
  expect((await send("GET /v1/problems")).status).toBe(401);
});

test("an installation without the folder of the console says so", async () => {
  const answer = await pageRoutes("/nowhere")
    .onError((error, context) => context.text(error.message, 404))
    .request("/");
  expect(await answer.text()).toContain("has no console");
});
