import { execFileSync } from "node:child_process";
import type * as fs from "node:fs";
import { mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";

/** Runs after a file was looked at by its name, and before it is opened: the worst moments for a change. */
const moment = { change: () => {} };

afterEach(() => {
  moment.change = () => {};
});

let readReviewed: typeof import("../../../agents/lib/review/files.ts").readReviewed;

// Files of a worker share the modules that they load, so the module under test is loaded anew over the watched file system.
beforeAll(async () => {
  vi.resetModules();
  vi.doMock("node:fs", async (importOriginal) => {
    const real = await importOriginal<typeof fs>();
    return {
      ...real,
      openSync: (...args: Parameters<typeof fs.openSync>) => {
        moment.change();
        return real.openSync(...args);
      },
    };
  });
  ({ readReviewed } = await import("../../../agents/lib/review/files.ts"));
});
afterAll(() => {
  vi.doUnmock("node:fs");
  vi.resetModules();
});

function setup(): { directory: string; file: string } {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "review-files-")));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "a.js");
  writeFileSync(file, "1;\n");
  return { directory, file };
}

test("a file that becomes a FIFO before it is opened is not waited for", async () => {
  const { directory, file } = setup();
  moment.change = () => {
    rmSync(file);
    execFileSync("mkfifo", [file]);
    moment.change = () => {};
  };
  expect(await readReviewed(directory, "a.js")).toEqual({
    unjudged: { file: "a.js", why: "unreadable", message: "this is not a regular file" },
  });
});

test("a file that becomes huge before it is opened is not read", async () => {
  const { directory, file } = setup();
  moment.change = () => truncateSync(file, 200 * 1024 * 1024);
  expect(await readReviewed(directory, "a.js")).toMatchObject({ unjudged: { why: "too-large" } });
});

test("a socket is unreadable, and fails no analysis", async () => {
  const { directory } = setup();
  const server = createServer().listen(join(directory, "b.js"));
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  expect(await readReviewed(directory, "b.js")).toMatchObject({ unjudged: { why: "unreadable" } });
});

test("many files are read in turns, so that other work of the process is not kept waiting", async () => {
  const { directory } = setup();
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  onTestFinished(() => clearInterval(timer));
  const untilMs = performance.now() + 200;
  while (performance.now() < untilMs) await readReviewed(directory, "a.js");
  expect(turns).toBeGreaterThan(0);
});
