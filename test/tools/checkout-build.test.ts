import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { provideBuild, provideRedirect } from "../../tools/build/checkout-build.ts";

const root = join(import.meta.dirname, "../..");
/** Prints the address of each file that Node loads, one a line, on standard error. */
const LISTER = `data:text/javascript,${encodeURIComponent(
  'import { registerHooks } from "node:module"; registerHooks({ load(url, context, next) { process.stderr.write("loads " + url + "\\n"); return next(url, context); } });',
)}`;

/** A checkout with a program of two files. */
function setup() {
  const home = mkdtempSync(join(tmpdir(), "murmur-checkout-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
    // A file that is as new as a build may have changed during it.
    const past = new Date(Date.now() - 10_000);
    utimesSync(join(home, path), past, past);
  };
  write("package.json", '{ "name": "murmur-swarm", "type": "module", "exports": { ".": "./src/index.ts" } }');
  write("package-lock.json", "{}");
  write("tools/build/bundle.ts", "");
  write("src/index.ts", "export class Shared {}\n");
  write(
    "src/app/word.ts",
    'export const word: string = "first";\nexport const address = [import.meta.url, import.meta.dirname];\n',
  );
  write(
    "src/app/main.ts",
    'import { Shared } from "murmur-swarm";\nimport { Shared as Own } from "../index.ts";\nimport { address, word } from "./word.ts";\nglobalThis.seen = { word, address, isOne: Shared === Own };\n',
  );
  const told: string[] = [];
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => told.push(String(text)) > 0);
  onTestFinished(() => stderr.mockRestore());
  const run = async (entry: string | undefined) => {
    await import(pathToFileURL(entry ?? "").href);
    return (globalThis as { seen?: unknown }).seen;
  };
  return { home, write, run, told, builds: join(home, ".murmur/build") };
}

test("a build is made once, has one instance of each module, and each module has the address of its source", async () => {
  const { home, run, builds, told } = setup();
  const entry = await provideBuild(home);
  const address = [pathToFileURL(join(home, "src/app/word.ts")).href, join(home, "src/app")];
  expect(await run(entry)).toEqual({ word: "first", address, isOne: true });
  expect(await provideBuild(home)).toBe(entry);
  expect(readdirSync(builds).sort()).toEqual(["1", "current.json"]);
  expect(told).toEqual([]);
});

test("a changed source gets a new build, and the earlier one stays for the processes that run from it", async () => {
  const { home, write, run, builds } = setup();
  const first = await provideBuild(home);
  write("src/app/word.ts", 'export const word = "second";\nexport const address = "";\n');
  const second = await provideBuild(home);
  expect(await run(second)).toMatchObject({ word: "second" });
  expect(existsSync(first ?? "")).toBe(true);
  // After an hour the folder is used again, so that builds take no more room and the compile cache does not grow.
  const old = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(join(builds, "1"), old, old);
  write("src/app/word.ts", 'export const word = "third!";\nexport const address = "";\n');
  expect(await provideBuild(home)).toBe(first);
});

test("a source with an error, or without a package, makes no build, and the reason is told", async () => {
  const { home, write, builds, told } = setup();
  write("src/app/word.ts", "export const = 1;\n");
  expect(await provideBuild(home)).toBeUndefined();
  write("src/app/word.ts", 'export { gone as word } from "./gone.ts";\nexport const address = "";\n');
  expect(await provideBuild(home)).toBeUndefined();
  for (const line of told)
    expect(line).toMatch(/^murmur: the build of this checkout failed, so the sources run: .+\n$/);
  expect(told).toHaveLength(2);
  expect(readdirSync(builds)).not.toContain("current.json");
});

test("while another process builds, this one does not wait, and the lock of a killed process does not last", async () => {
  const { home, builds, told } = setup();
  mkdirSync(builds, { recursive: true });
  writeFileSync(join(builds, "lock"), "");
  expect(await provideBuild(home)).toBeUndefined();
  const old = new Date(Date.now() - 120_000);
  utimesSync(join(builds, "lock"), old, old);
  expect(await provideBuild(home)).toMatch(/main\.js$/);
  expect(told).toEqual([]);
});

test("a process that is redirected loads the build in the place of the sources, its agents' imports included", async () => {
  const { home, write, builds } = setup();
  write(
    "agents/echo.ts",
    'import { Shared } from "murmur-swarm";\nimport "../src/app/main.ts";\nconsole.log(JSON.stringify([Shared.name, globalThis.seen]));\n',
  );
  const redirect = pathToFileURL((await provideRedirect(home)) ?? "").href;
  const argv = ["--import", redirect, "--import", LISTER, join(home, "agents/echo.ts")];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, argv);
  const address = [pathToFileURL(join(home, "src/app/word.ts")).href, join(home, "src/app")];
  expect(JSON.parse(stdout)).toEqual(["Shared", { word: "first", address, isOne: true }]);
  const loaded = stderr.split("\n").filter((line) => line.startsWith("loads file:"));
  const outside = loaded.filter((line) => !line.includes(pathToFileURL(join(builds, "1")).href));
  expect(outside).toEqual([`loads ${pathToFileURL(join(home, "agents/echo.ts")).href}`]);
});

test("the agents of the review are in the build, with the library that they share", async () => {
  const { home, write, builds } = setup();
  write("agents/lib/review/index.ts", 'export const word: string = "shared";\n');
  write(
    "agents/review-docs/agent.ts",
    'import { word } from "../lib/review/index.ts";\nconst told: string = word;\nconsole.log(told);\n',
  );
  // The program of these agents is a bundle of its own.
  write(
    "src/app/review-host.ts",
    'import { word } from "../../agents/lib/review/index.ts";\nconst told: string = word;\nconsole.log(told);\n',
  );
  const redirect = pathToFileURL((await provideRedirect(home)) ?? "").href;
  const folder = pathToFileURL(join(builds, "1")).href;
  for (const [source, within] of [
    ["agents/review-docs/agent.ts", folder],
    ["src/app/review-host.ts", `${folder}/review/`],
  ] as const) {
    const argv = ["--import", redirect, "--import", LISTER, join(home, source)];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, argv);
    expect(stdout).toBe("shared\n");
    const loaded = stderr.split("\n").filter((line) => line.startsWith("loads file:"));
    const outside = loaded.filter((line) => !line.includes(within));
    expect([loaded.length > 0, outside]).toEqual([true, []]);
  }
});

test("a redirection waits for the build that another process makes", async () => {
  const { home, builds } = setup();
  mkdirSync(builds, { recursive: true });
  writeFileSync(join(builds, "lock"), "");
  const waiting = provideRedirect(home);
  await Promise.resolve();
  expect(readdirSync(builds)).toEqual(["lock"]);
  rmSync(join(builds, "lock"));
  expect(existsSync((await waiting) ?? "")).toBe(true);
});

test("`status` and the help load few files, and neither zod nor the libraries for metrics and logs", async () => {
  await vi.waitFor(async () => expect(await provideBuild(root)).toBeDefined(), { timeout: 60_000 });
  const loaded = async (...args: string[]) => {
    const program = ["--import", LISTER, join(root, "tools/build/run.ts"), ...args];
    const stderr = await new Promise<string>((resolve) => {
      execFile(process.execPath, program, (_, _stdout, text) => resolve(text));
    });
    return stderr.split("\n").filter((line) => line.startsWith("loads file:"));
  };
  const status = await loaded("status", "--server", "nats://127.0.0.1:1");
  expect(status.filter((line) => /prom-client|pino|zod|\/src\//.test(line))).toEqual([]);
  expect(status.length).toBeLessThan(40);
  const help = await loaded("help");
  expect(help.filter((line) => /\/(?:shared|session)\.js$/.test(line))).toEqual([]);
  // A command that lives long runs from the sources.
  expect((await loaded("up", "--help")).some((line) => line.endsWith("/src/app/main.ts"))).toBe(true);
});
