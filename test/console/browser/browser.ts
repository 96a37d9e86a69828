// A real Chromium for the tests of the console, and a page of the console in it. The browser is the system's; where there is none, the tests
// say so.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, onTestFinished, type TestContext, test } from "vitest";
import type { ApiParts } from "../../../src/app/http/api.ts";
import { listen } from "../../../src/app/http/listen.ts";
import { setupApi } from "../../app/http/setup.ts";
import { scaled } from "../../support/scale.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const ABSENT =
  "no Chromium on this machine: install the package chromium, or name the program in MURMUR_CHROMIUM";

/** True in `npm run test:console` and in the nightly run: every test. `./murmur test` runs a short part. */
export const IS_WHOLE = process.env.MURMUR_TEST_CONSOLE === "all" || scaled(0, 1) === 1;

/** The path of the browser; undefined without one. */
export function findBrowser(): string | undefined {
  const named = process.env.MURMUR_CHROMIUM;
  if (named !== undefined) return named;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) =>
    existsSync(path),
  );
}

let browser: Promise<Browser> | undefined;

/** The browser of a test file, which starts at its first use. */
function provideBrowser(): Promise<Browser> {
  browser ??= chromium.launch({
    ...{ executablePath: findBrowser()!, headless: true },
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  return browser;
}

/** Closes the browser after the last test of a file. */
export function closeBrowserAtEnd(): void {
  afterAll(async () => {
    await (await browser)?.close();
    browser = undefined;
  });
}

/** A test that needs a browser. `isShort`: it is part of `./murmur test`. */
export function browserTest(
  title: string,
  { isShort = false }: { isShort?: boolean },
  work: () => Promise<void>,
): void {
  test(title, { timeout: 240_000 }, async ({ skip }: TestContext) => {
    if (findBrowser() === undefined) return skip(ABSENT);
    if (!IS_WHOLE && !isShort) return skip("part of npm run test:console");
    await work();
  });
}

/** The answers of the API in a test: a value, or a function of the request. The others come from a real API over a swarm in memory. */
export type Answers = Readonly<Record<string, unknown>>;

/** The request that a page sent. */
export interface SentRequest {
  method: string;
  path: string;
  query: string;
  body: unknown;
}

/** Opens the console in a page. */
export async function openConsole(
  options: {
    answers?: Answers;
    at?: string;
    width?: number;
    height?: number;
    scheme?: "light" | "dark";
    token?: string;
    parts?: Partial<ApiParts>;
  } = {},
) {
  const { answers = {}, at = "", width = 1_280, height = 800, scheme = "light", token, parts = {} } = options;
  const api = await setupApi(parts);
  const listening = await listen(api.app, { host: "127.0.0.1", port: 0, what: "the API" });
  onTestFinished(() => listening.close());
  const { page, faults } = await openPage("about:blank", { width, height, scheme });
  const sent: SentRequest[] = [];
  const now: Record<string, unknown> = { ...answers };
  await page.route("**/v1/**", async (route) => {
    const request = route.request();
    const { pathname, search } = new URL(request.url());
    const method = request.method();
    if (method !== "GET")
      sent.push({
        method,
        path: pathname,
        query: search,
        body: request.postData() === null ? null : request.postDataJSON(),
      });
    const key = [`${method} ${pathname}`, pathname].find((each) => each in now);
    if (key === undefined || (method !== "GET" && key === pathname)) return route.continue();
    const answer = now[key];
    const value =
      typeof answer === "function"
        ? (answer as (search: URLSearchParams) => unknown)(new URLSearchParams(search))
        : answer;
    if (value === undefined) return route.abort();
    const { status = 200, json = value } = (value ?? {}) as { status?: number; json?: unknown };
    return route.fulfill({ status: typeof status === "number" ? status : 200, json });
  });
  await page.goto(`${listening.url}/${at}`);
  if (token !== undefined) {
    await page.getByLabel("Token of the API").fill(token);
    await page.getByRole("button", { name: "log in" }).click();
  }
  return { ...api, page, url: listening.url, faults, sent, answers: now, close: () => listening.close() };
}

/** Opens an address in a page of its own. `faults` are the errors that its scripts leave. */
export async function openPage(
  url: string,
  {
    width = 1_280,
    height = 800,
    scheme = "light",
  }: { width?: number; height?: number; scheme?: "light" | "dark" } = {},
) {
  const context = await (await provideBrowser()).newContext({
    ...{ viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce" },
  });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    const isOwn = !/status of (4|5)\d\d|net::ERR|WebSocket connection/.test(message.text());
    if (message.type() === "error" && isOwn) faults.push(message.text());
  });
  await page.goto(url);
  return { page, faults };
}

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The faults of a page that axe-core finds, each with its places. */
export async function findAxeFaults(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync(axePath, "utf8"));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes
        .slice(0, 3)
        .map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ""}`),
    );
  });
}
