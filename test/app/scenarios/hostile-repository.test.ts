// A repository that tries every known way to run its code in a review. Each way leaves a mark of its own outside of the
// repository, so a failure names it.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { analysersDirectory, eslint, hasAnalysers } from "../../../agents/lib/review/index.ts";
import { type LeftOut, probeSandbox, type Safety } from "../../../workflows/review/index.ts";
import { localTools } from "../../review/local-swarm.ts";
import { setupWorld } from "../support.ts";

vi.setConfig({ testTimeout: 180_000 });

/** Builds the repository in `root`. Its programs mark `marks`, and connect to `port`. */
function buildHostile(root: string, marks: string, port: number): void {
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode });
  };
  const calls = (way: string) =>
    `require("node:fs").writeFileSync(${JSON.stringify(join(marks, way))}, ""); require("node:net").connect(${port}, "127.0.0.1").on("error", () => {});`;
  const cjs = (path: string, way: string, rest = "module.exports = [];") =>
    put(path, `${calls(way)}\n${rest}\n`);
  const esm = (path: string, way: string) =>
    put(
      path,
      `import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);\n${calls(way)}\nexport default [];\n`,
    );
  const shell = (path: string, way: string) => put(path, `#!/bin/sh\ntouch "${join(marks, way)}"\n`, 0o755);

  // Linters: configurations of the root and of a folder, plugins, parsers, and packages of the same names.
  cjs("eslint.config.js", "eslint");
  esm("nested/eslint.config.mjs", "eslint-nested");
  cjs(".eslintrc.js", "eslintrc", "module.exports = { root: true, parser: './parser.js' };");
  cjs("parser.js", "eslint-parser");
  esm("oxlint.config.ts", "oxlint");
  esm("nested/oxlint.config.ts", "oxlint-nested");
  put("nested/deep/.oxlintrc.json", '{ "jsPlugins": ["./plugin.js"], "rules": { "no-debugger": "off" } }');
  cjs("nested/deep/plugin.js", "oxlint-plugin");
  esm("vite.config.ts", "vite");
  put(
    "biome.json",
    '{ "extends": ["./more.json"], "plugins": ["./p.grit"], "linter": { "enabled": false } }',
  );
  put("nested/biome.json", '{ "root": false, "linter": { "enabled": false } }');
  for (const name of [
    "eslint",
    "oxlint",
    "typescript",
    "jiti",
    "@biomejs/biome",
    "murmur-swarm",
    "@secretlint/core",
  ]) {
    put(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "99.0.0", main: "index.js" }));
    cjs(`node_modules/${name}/index.js`, `package-${name.replaceAll("/", "-")}`);
  }
  put(
    "tsconfig.json",
    '{ "extends": "./node_modules/eslint", "compilerOptions": { "plugins": [{ "name": "eslint" }] } }',
  );
  cjs(".secretlintrc.js", "secretlint", "module.exports = {};");
  put(".secretlintrc.json", '{ "rules": [{ "id": "./parser.js" }] }');
  put(".swcrc", '{ "jsc": { "experimental": { "plugins": [["./parser.js", {}]] } } }');
  cjs("babel.config.js", "babel", "module.exports = {};");
  put(".npmrc", "script-shell=./bin/sh\nnode-options=--require=./parser.js\n");
  put(".env", "NODE_OPTIONS=--require=./parser.js\n");
  put(
    "package.json",
    JSON.stringify({
      name: "hostile",
      type: "commonjs",
      scripts: Object.fromEntries(
        ["preinstall", "install", "postinstall", "prepare", "test", "lint"].map((name) => [
          name,
          `touch ${join(marks, `script-${name}`)}`,
        ]),
      ),
    }),
  );

  // Programs that a search of the PATH could find, and Murmur's own files of a working directory.
  for (const name of ["git", "node", "npm", "nats-server", "sh", "pip", "go"]) {
    shell(`node_modules/.bin/${name}`, `bin-${name}`);
    shell(name, `path-${name}`);
  }
  shell(".murmur/bin/nats-server", "murmur-bin");
  put(".murmur/swarm.json", JSON.stringify({ version: 1, server: `nats://127.0.0.1:${port}`, ready: true }));
  // No `server` here: with one, no nats-server would be started.
  put("murmur.yaml", "natsServer: ./nats-server\nagentsDir: agents\n");
  for (const role of ["review-biome", "review-docs", "api"]) esm(`agents/${role}/agent.ts`, `agent-${role}`);

  // Code with faults, in names that mean something to a shell or a parser of options.
  for (const path of [
    "a.js",
    "--init.js",
    "-rf.js",
    "nested/b.ts",
    "nested/deep/c.ts",
    "new\nline.js",
    "$(touch x).js",
  ])
    put(path, "debugger;\n");

  // git: monitor, hooks, filters, drivers.
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, stdio: "ignore" });
  // The `.git` of the root is a file that leads to another folder, with all these traps.
  git("init", "-q", "--separate-git-dir=elsewhere");
  writeFileSync(join(root, "elsewhere/info/exclude"), "elsewhere/\n");
  git("add", "--", "a.js", "nested");
  const program = (way: string) => {
    shell(`elsewhere/${way}.sh`, way);
    return join(root, `elsewhere/${way}.sh`);
  };
  for (const [key, way] of [
    ["core.fsmonitor", "git-monitor"],
    ["filter.a=b.clean", "git-filter"],
    ["filter.a=b.process", "git-process"],
    ["diff.external", "git-external"],
    ["diff.x.textconv", "git-textconv"],
    ["core.sshCommand", "git-ssh"],
    ["core.pager", "git-pager"],
  ] as const)
    git("config", key, program(way));
  for (const hook of ["post-index-change", "post-checkout", "pre-commit"])
    shell(`elsewhere/hooks/${hook}`, `git-${hook}`);
  put(".gitattributes", "* filter=a=b diff=x\n");

  // Links, special files, huge files.
  symlinkSync("/etc/passwd", join(root, "passwd.js"));
  symlinkSync("/etc", join(root, "etc"));
  symlinkSync(".", join(root, "loop"));
  execFileSync("mkfifo", [join(root, "fifo.js"), join(root, "nested/.oxlintrc.json")]);
  if (process.getuid?.() === 0) execFileSync("mknod", [join(root, "zero.js"), "c", "1", "5"]);
  put("bundle.js", "");
  truncateSync(join(root, "bundle.js"), 200 * 1024 * 1024);
}

/** A hash for each file below a folder, also in `.git`: kind, mode, size, and the bytes of small files. */
function hashTree(root: string, folder = ""): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const name of readdirSync(join(root, folder))) {
    const path = join(folder, name);
    const facts = lstatSync(join(root, path));
    const isSmall = facts.isFile() && facts.size < 1024 * 1024;
    const content = facts.isSymbolicLink()
      ? readlinkSync(join(root, path))
      : isSmall
        ? createHash("sha256")
            .update(readFileSync(join(root, path)))
            .digest("hex")
        : "";
    hashes[path] = `${facts.mode} ${facts.isDirectory() ? "" : facts.size} ${content}`;
    if (facts.isDirectory()) Object.assign(hashes, hashTree(root, path));
  }
  return hashes;
}

test.skipIf(!hasAnalysers())(
  "a hostile repository runs no code of its own in a review that starts inside of it or outside",
  async () => {
    const { run, directory, temp } = setupWorld();
    const marks = join(temp, "marks");
    mkdirSync(marks);
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    let gate: Server | undefined;
    try {
      buildHostile(directory, marks, port);
      // The file of a socket stays only while its server listens.
      gate = createServer().listen(join(directory, "gate.sock"));
      await new Promise((resolve) => gate?.once("listening", resolve));
      const before = hashTree(directory);
      const path = ["", ".", join(directory, "node_modules/.bin"), directory, process.env.PATH].join(
        delimiter,
      );
      const ran = await run("review . --json", {
        env: { PATH: path, MURMUR_ANALYSERS_DIR: analysersDirectory() },
      });
      expect(readdirSync(marks)).toEqual([]);
      expect(connections).toBe(0);
      expect(hashTree(directory)).toEqual(before);
      expect(ran.exitCode, ran.stdout.slice(0, 3_000)).toBe(0);
      const report = ran.json() as {
        status: string;
        findings: { kind: string; file: string; agreedBy: string[] }[];
        safety: Safety;
        leftOut: LeftOut[];
      };
      expect(report.status).toBe("completed");
      const debuggers = report.findings.filter(({ kind }) => kind === "debugger-statement");
      // The review's own rules hold in each folder, whatever its configurations say: both voting linters agree, so the third is not asked.
      expect(debuggers.map(({ file, agreedBy }) => `${file} ${agreedBy.length}`)).toEqual(
        expect.arrayContaining(["a.js 2", "--init.js 2", "nested/b.ts 2", "nested/deep/c.ts 2"]),
      );
      // The report tells the protection that this system allows, as the probe sees it, and the configurations that it ignored.
      const { readOnly, noNetwork } = await probeSandbox({ directory });
      const { safety } = report;
      expect(safety.sandbox).toEqual({
        readOnly,
        noNetwork,
        environment: "scrubbed",
        analysers: { had: true, by: "node-permission" },
      });
      expect({ ...safety, sandbox: null, ignored: [] }).toEqual({
        trusted: false,
        executed: [],
        read: [],
        ignored: [],
        sandbox: null,
      });
      expect(safety.ignored).toEqual(
        expect.arrayContaining(["eslint.config.js", "nested/eslint.config.mjs", "oxlint.config.ts"]),
      );
      // git lists no special files; they are told all the same.
      const special = report.leftOut.find(({ reason }) => reason === "not-a-file")?.files ?? [];
      expect(special.map(({ path }) => path)).toEqual(
        expect.arrayContaining(["fifo.js", "gate.sock", "nested/.oxlintrc.json"]),
      );
      expect(JSON.stringify(report)).toContain('"passwd.js"');
      expect(JSON.stringify(report)).toContain('"bundle.js"');
      expect(readdirSync(temp).filter((name) => name.startsWith("murmur-review-"))).toEqual([]);

      // From outside, as a pull request's check would start it.
      const outside = await setupWorld().run(`review ${directory} --json --only review-docs`);
      expect(outside.exitCode, outside.stdout.slice(0, 3_000)).toBe(0);
      expect(readdirSync(marks)).toEqual([]);
      expect(connections).toBe(0);
      expect(hashTree(directory)).toEqual(before);

      // The trap works: with trust, ESLint runs the configuration.
      await eslint({ directory, files: ["a.js"], trustRepoConfig: true }, localTools());
      expect(existsSync(join(marks, "eslint"))).toBe(true);
    } finally {
      gate?.close();
      server.close();
    }
  },
);
