// The package as users get it: built, packed, unpacked into a project's node_modules. The packages that it needs are links to
// those of the checkout, so that the tests need no network. `npm run nightly` also installs it with npm.
import { type ExecFileException, execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findNatsServer } from "../support/nats-server.ts";
import { providePackage } from "../support/package.ts";
import { scaled } from "../support/scale.ts";

const root = join(import.meta.dirname, "../..");
const BUILD_LIMIT_MS = 240_000;

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

let home: string;
let project: string;
let installed: string;
let tarball: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "murmur-package-"));
  project = join(home, "project");
  installed = join(project, "node_modules/murmur-swarm");
  ({ tarball } = await providePackage());
  mkdirSync(installed, { recursive: true });
  await promisify(execFile)("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  const own = readManifest();
  for (const name of [...Object.keys(own.dependencies), ...Object.keys(own.peerDependencies), "@types/node"])
    link(name);
  // The package.json that `npm install ../<tarball>` writes into an empty folder.
  const dependencies = { "murmur-swarm": `file:../${basename(tarball)}` };
  writeFileSync(join(project, "package.json"), JSON.stringify({ dependencies }));
}, BUILD_LIMIT_MS);
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Puts a package of the checkout into the project. */
function link(name: string): void {
  const at = join(project, "node_modules", name);
  mkdirSync(dirname(at), { recursive: true });
  symlinkSync(join(root, "node_modules", name), at);
}

function readManifest() {
  return JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
    version: string;
    dependencies: Record<string, string>;
    peerDependencies: Record<string, string>;
    bin: { murmur: string };
  };
}

/** Runs a program in the project, with a PATH on which `node` is this Node. */
function run(
  file: string,
  args: readonly string[],
  cwd = project,
  server: Record<string, string> = { MURMUR_NATS_SERVER: findNatsServer() },
): Promise<Ran> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(MURMUR_|NATS_|VITEST|NODE_(ENV|OPTIONS|PATH))/.test(name),
  );
  const env = {
    ...Object.fromEntries(kept),
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    ...server,
    NO_COLOR: "1",
  };
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env }, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const murmur = (...args: string[]) => run(join(installed, readManifest().bin.murmur), args);

/** The files of the bundle that a file imports at once, itself included. */
function importedFiles(file: string, seen = new Set<string>()): Set<string> {
  seen.add(file);
  for (const [, path = ""] of readFileSync(join(installed, "src", file), "utf8").matchAll(IMPORTED_FILE)) {
    const next = join(dirname(file), path);
    if (!seen.has(next)) importedFiles(next, seen);
  }
  return seen;
}
const IMPORTED_FILE = /^(?:import|export) .*from "(\.[^"]+)";$/gm;

test("a process that listens for its probes has loaded no shared code of rooms, and no module of Node with all its exports", () => {
  const program = readFileSync(join(installed, "src/app/main.js"), "utf8");
  const later = [...program.matchAll(/import\("(\.[^"]+)"\)/g)].map(([, path = ""]) => join("app", path));
  const [session] = later.filter((file) => /session/.test(file));
  const command = readdirSync(join(installed, "src")).filter((file) =>
    /^(?:coordinator|agent-run|api|engine)\d*\.js$/.test(file),
  );
  const first = new Set(
    ["app/main.js", ...later]
      .filter((file) => !/detach/.test(file))
      .flatMap((file) => [...importedFiles(file)]),
  );
  expect(session).toBeDefined();
  expect(command.length).toBeGreaterThan(3);
  expect(
    [...first].filter(
      (file) =>
        !/^(?:app\/main|start|listen|cli|commands|session|last-line|version|own-package|spelling|rolldown-runtime)\.js$/.test(
          file,
        ),
    ),
  ).toEqual([]);
  const heads = readdirSync(join(installed, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".js"))
    .map((file) => [
      file,
      readFileSync(join(installed, "src", file), "utf8").split(/\n(?!import )/, 1)[0] ?? "",
    ]);
  expect(heads.filter(([, head]) => /from "node:/.test(head!)).map(([file]) => file)).toEqual([]);
});

test("the installed command lists its commands", async () => {
  expect(await murmur("--help")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Usage: npx murmur \[/),
    stderr: "",
  });
});

test("the doors of the installed package export the names that agents and programs import", async () => {
  const script = `import { defineAgent } from "murmur-swarm"; import { connect } from "murmur-swarm/client";
    import { createWorkflowTest } from "murmur-swarm/testing";
    console.log(typeof defineAgent, typeof connect, typeof createWorkflowTest);`;
  const ran = await run(process.execPath, ["--input-type=module", "--eval", script]);
  expect(ran).toMatchObject({ code: 0, stdout: "function function function\n" });
});

const tsc = (...args: string[]) =>
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...args]);

test("a new project in the folder of the install tests and types itself, and types mistakes in agents", async () => {
  const made = await murmur("new", "project", "--json");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(made.stdout)).toMatchObject({ completed: ["package.json"] });
  expect(await run(process.execPath, ["--test"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/pass 3\b/),
  });

  writeFileSync(
    join(project, "agents/program.ts"),
    `import { connect } from "murmur-swarm/client";\nexport const nats = typeof connect;\n`,
  );
  const agent = join(project, "agents/greet/agent.ts");
  const right = readFileSync(agent, "utf8");
  writeFileSync(agent, right.replace("work(task.input)", "work(task.inputs)"));
  // Exactly the one deliberate error: with library checks, so the declarations of the package themselves have none.
  const checked = await tsc("--skipLibCheck", "false", "--checkers", "1");
  expect(checked.stdout.trim().split("\n")).toEqual([
    expect.stringMatching(/^agents\/greet\/agent\.ts\(.*'inputs' does not exist/),
  ]);
  writeFileSync(agent, right);
});

test("help and errors of the installed command name it as it is typed in the project", async () => {
  expect((await murmur("up", "--help")).stdout).toMatch(
    /^Usage: npx murmur up [\s\S]*\n {2}npx murmur up --agents/,
  );
  const refused = await murmur("dead", "ls", "--server", "nats://127.0.0.1:1");
  expect(refused.code).toBe(3);
  expect((await murmur("doctor", "--server", "nats://127.0.0.1:1")).stdout).toMatch(
    /start one \(npx murmur up,/,
  );
});

const ERRING = `import { defineAgent, TerminalError } from "murmur-swarm";
import { z } from "zod";

export default defineAgent({
  name: "erring",
  capabilities: ["erring"],
  input: z.string(),
  run() {
    throw new TerminalError("no way");
  },
});
`;
/** The frames of the runtime name their functions, although its files are bundled. */
const ERRING_TRACE =
  /^TerminalError: no way\n {4}at Object\.run \(agents\/erring\/agent\.ts:9:11\)\n[\s\S]*RunningAttempt\.run \(node_modules\/murmur-swarm\/src\/work\.js:/;

test("the agent of the README runs in the project's swarm", async () => {
  const page = readFileSync(join(root, "README.md"), "utf8");
  const [, agent = ""] =
    /The agent is one file, `agents\/greet\/agent\.ts`.*?```ts\n(.*?)```/s.exec(page) ?? [];
  for (const [role, text] of Object.entries({ greet: agent, erring: ERRING })) {
    mkdirSync(join(project, "agents", role), { recursive: true });
    writeFileSync(join(project, "agents", role, "agent.ts"), text);
  }
  try {
    const up = ["up", "--detach", "--coordinators", "0", "--agents", "greet,erring"];
    expect(await murmur(...up)).toMatchObject({ code: 0 });
    expect(await murmur("submit", "greet", "--input", '"you"', "--wait")).toMatchObject({
      code: 0,
      stdout: '"Hello, you!"\n',
    });

    // The agent's error class is the runtime's own, its schema is of the project's zod, and its stack begins in its file.
    const task = ["submit", "erring", "--id", "t1", "--input", '"now"', "--wait"];
    expect(await murmur(...task)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("tool_failed: no way"),
    });
    const shown = JSON.parse((await murmur("task", "show", "t1", "--json")).stdout);
    expect(shown.history.attempts).toMatchObject([
      { error: { retryable: false }, trace: expect.stringMatching(ERRING_TRACE) },
    ]);
    const invalid = await murmur("submit", "erring", "--input", "7", "--wait");
    expect(invalid.stdout).toMatch(/invalid_input: .*input.*, got 7/);
  } finally {
    expect((await murmur("down")).code).toBe(0);
  }
  expect(readdirSync(join(project, ".murmur"))).toContain("nats");
});

test("too old a Node is told in one line, by a file that the oldest Node can parse", async () => {
  const command = join(installed, readManifest().bin.murmur);
  const script = `Object.defineProperty(process.versions, "node", { value: "18.20.4" }); require(${JSON.stringify(command)});`;
  const told = await run(process.execPath, ["--eval", script]);
  expect(told).toMatchObject({ code: 3, stdout: "" });
  expect(told.stderr).toMatch(/^murmur: Node\.js 22\.22 or newer is needed, this is 18\.20\.4 \(.*\n$/);

  const code = readFileSync(command, "utf8").replace(/^\s*(\/\/|\/\*|#!).*$/gm, "");
  const modern = /=>|`|\b(?:const|let|class|import|async|await)\b|\?\.|\?\?|\.\.\.|,\s*\)/.exec(code);
  expect(modern?.[0]).toBeUndefined();
});

test("a peer that is missing or too old is told in one line with the command that installs it", async () => {
  const zod = join(project, "node_modules/zod");
  renameSync(zod, join(home, "zod"));
  try {
    const range = readManifest().peerDependencies.zod;
    const missing = await murmur("--help");
    expect(missing).toMatchObject({ code: 3, stdout: "" });
    expect(missing.stderr).toBe(
      `murmur: needs zod ${range}, which is missing: run npm install "zod@${range}" in ${project}\n`,
    );
    mkdirSync(zod);
    writeFileSync(join(zod, "package.json"), '{"name":"zod","version":"3.25.76"}');
    const old = await murmur("--help");
    expect(old).toMatchObject({ code: 3, stdout: "" });
    expect(old.stderr).toMatch(/^murmur: needs zod \^4\.\S+, found 3\.25\.76 \(.*\n$/);
  } finally {
    rmSync(zod, { recursive: true, force: true });
    renameSync(join(home, "zod"), zod);
  }
});

// It needs a package registry, and takes a minute: 22 s of CPU time for npm, the analysers and their agents.
test.runIf(scaled(0, 1) === 1)(
  "npm installs the tarball into an empty folder, and there review gets its analysers and a server by itself",
  async () => {
    const [fresh, reviewed] = [join(home, "fresh"), join(home, "reviewed")];
    for (const folder of [fresh, reviewed]) mkdirSync(folder);
    writeFileSync(join(reviewed, "a.js"), 'export const f = () => eval("1");\n');
    const npm = ["install", "--no-audit", "--no-fund", tarball];
    expect(await run("npm", npm, fresh)).toMatchObject({ code: 0 });
    const review = ["--no-install", "murmur", "review", "../reviewed", "--json"];
    const ran = await run("npx", review, fresh, {});
    expect(JSON.parse(ran.stdout)).toMatchObject({
      status: "completed",
      findings: [
        {
          severity: "high",
          agreedBy: expect.arrayContaining(["review-security", "review-oxlint", "review-biome"]),
        },
      ],
    });
    expect(readdirSync(reviewed)).toEqual(["a.js"]);
  },
  600_000,
);

test("npm pack in the checkout refuses and names the command that makes the package", async () => {
  const refused = await run("npm", ["pack", "--dry-run"], root);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/npm run package/);
});
