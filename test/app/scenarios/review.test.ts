import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { hasAnalysers } from "../../../agents/lib/review/index.ts";
import { readState } from "../../../src/app/supervisor/state.ts";
import { renderBaseline } from "../../../workflows/review/baseline/index.ts";
import type { ReviewReport } from "../../../workflows/review/index.ts";
import { eventually, expectGone, setupWorld } from "../support.ts";

// Each test starts a swarm or two; on a loaded machine that alone takes a while.
vi.setConfig({ testTimeout: 120_000 });

/** A small repository whose README links to nowhere. */
function setup() {
  const world = setupWorld();
  const repository = join(world.directory, "repository");
  mkdirSync(join(repository, "src"), { recursive: true });
  writeFileSync(join(repository, "package.json"), '{"name":"small","version":"1.0.0"}');
  writeFileSync(join(repository, "README.md"), "# Small\n\nSee [the guide](docs/guide.md).\n");
  writeFileSync(join(repository, "src/index.js"), "export const one = 1;\n");
  return { ...world, repository };
}

test("review without a swarm starts its own, writes nothing into the repository and leaves nothing behind", async () => {
  const { run, repository, directory, temp } = setup();
  // The working directory is not trusted: its agents, settings and programs are ignored.
  const mark = join(temp, "mark");
  const program = `#!/bin/sh\ntouch ${mark}\n`;
  mkdirSync(join(directory, "agents/review-docs"), { recursive: true });
  mkdirSync(join(directory, ".murmur/bin"), { recursive: true });
  writeFileSync(
    join(directory, "agents/review-docs/agent.ts"),
    `import { writeFileSync } from "node:fs";\nwriteFileSync(${JSON.stringify(mark)}, "");\n`,
  );
  writeFileSync(join(directory, "murmur.yaml"), "agentsDir: agents\nheapMb: much\n");
  writeFileSync(join(directory, ".murmur/bin/nats-server"), program, { mode: 0o755 });
  writeFileSync(join(directory, ".murmur/swarm.json"), "{}");
  const ran = await run("review repository --only review-docs --json");
  expect(existsSync(mark)).toBe(false);
  expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  expect(ran.json()).toMatchObject({
    status: "completed",
    directory: repository,
    findings: [expect.objectContaining({ file: "README.md", line: 3 })],
    failedTasks: [],
  });
  // The same report in another format, without a new review.
  writeFileSync(join(directory, "report.json"), ran.stdout);
  const shown = await run("review repository --from report.json --format github --fail-on medium");
  expect(shown).toMatchObject({ exitCode: 1, stderr: "" });
  expect(shown.stdout).toContain("::warning file=README.md,line=3,title=broken-link::");
  // A partial review does not pass as a gate, unless the caller allows it.
  writeFileSync(
    join(directory, "report.json"),
    JSON.stringify({ ...(ran.json() as object), status: "partial" }),
  );
  const gate = "review repository --from report.json --fail-on critical";
  expect((await run(gate)).exitCode).toBe(3);
  expect((await run(`${gate} --allow-partial`)).exitCode).toBe(0);
  const reached = "review repository --from report.json --fail-on medium --allow-partial";
  expect((await run(reached)).exitCode).toBe(1);
  rmSync(join(directory, "report.json"));
  expect(readdirSync(repository).sort()).toEqual(["README.md", "package.json", "src"]);
  expect(readdirSync(directory).sort()).toEqual([".murmur", "agents", "murmur.yaml", "repository"]);
  expect(readdirSync(temp).filter((name) => name.startsWith("murmur-"))).toEqual([]);
});

test("review in a running swarm starts only the missing agents, and the swarm stays as it was", async () => {
  const { run, call, up } = setup();
  const swarm = await up("--coordinators 0");
  // Without a coordinator the linters are missing, and the review gives the reason.
  const partial = await run("review repository --only review-oxlint --only review-docs --json");
  expect(partial).toMatchObject({ exitCode: 0 });
  expect(partial.json()).toMatchObject({
    status: "partial",
    failedTasks: [
      {
        capability: "review-oxlint",
        error: expect.stringMatching(/^unavailable: .* no coordinator answers/),
      },
    ],
  });
  const whole = await run("review repository --only review-docs --json --fail-on low");
  expect(whole).toMatchObject({ exitCode: 1 });
  expect(whole.json()).toMatchObject({ status: "completed" });
  // The review's agents have left, and the swarm's own have sent a heartbeat: both within 5 s.
  await eventually(async () => {
    const { agents } = (await call("agent ls --json")).json() as { agents: { role: string }[] };
    return agents.length === 1 && agents[0]?.role === "echo" ? true : undefined;
  });
  expect((await up()).processes).toEqual(swarm.processes);
});

test.skipIf(!hasAnalysers())("a second review of unchanged files starts no swarm", async () => {
  const { run, repository } = setup();
  const review = "review repository --only review-docs --only review-security --json";
  const first = await run(review);
  expect(first.json()).toMatchObject({ status: "completed", cache: { hits: 0, misses: 2 } });
  // A swarm could not start any more.
  const env = { MURMUR_NATS_SERVER: "/no/server" };
  const second = await run(review, { env });
  const { durationMs: _, cache, agents, ...same } = second.json() as Record<string, unknown>;
  expect({ cache, agents }).toEqual({ cache: { hits: 2, misses: 0 }, agents: 0 });
  expect(first.json()).toMatchObject(same);
  expect((await run(`${review} --no-cache`, { env })).exitCode).not.toBe(0);
  writeFileSync(join(repository, "README.md"), "# Changed\n");
  expect((await run(review, { env })).exitCode).not.toBe(0);
});

test("a change and a baseline narrow what a review shows, and only its shown findings are a gate", async () => {
  const { run, repository, directory } = setup();
  const git = (...args: string[]) => {
    const config = ["user.name=a", "user.email=a@b.c", "init.defaultBranch=main"].flatMap((each) => [
      "-c",
      each,
    ]);
    execFileSync("git", [...config, ...args], { cwd: repository, stdio: "pipe" });
  };
  const lines =
    "# Guide\n\nBack to [the start](README.md), or to [nowhere](none.md).\n\n[nowhere](none.md)\n";
  git("init", "-q");
  writeFileSync(join(repository, "guide.md"), lines);
  git("add", "-A");
  git("commit", "-qm", "x");
  // The change removes the page that an old line links to, and adds a link to nowhere.
  git("checkout", "-qb", "work");
  rmSync(join(repository, "README.md"));
  writeFileSync(join(repository, "guide.md"), `${lines}\nMore.\n`);
  writeFileSync(join(repository, "new.md"), "See [more](more.md).\n");
  // The cache keeps results of files that the security analysis has judged.
  const review =
    "review repository --only review-docs --only review-security --changed=main --json --fail-on medium";
  const changed = await run(review);
  expect(changed, changed.stdout).toMatchObject({ exitCode: 1, stderr: "" });
  const report = changed.json() as unknown as ReviewReport;
  const found = report.findings.map(({ file, line, inChange }) => [file, line, inChange]);
  expect(found.sort()).toEqual([
    ["guide.md", 3, "line"],
    ["guide.md", 5, "file"],
    ["new.md", 1, "line"],
  ]);
  expect(report.scope?.change).toMatchObject({
    removedFiles: 1,
    untouched: { inChangedFiles: 1, elsewhere: 0 },
  });
  // Outside of the repository: a baseline in the change would be used as it is at the base, and there it is missing.
  const file = join(directory, "known.json");
  writeFileSync(file, renderBaseline(report.findings));
  // The same contents: the cache answers, so no swarm starts.
  const known = await run(`${review} --baseline=${file}`, { env: { MURMUR_NATS_SERVER: "/no/server" } });
  expect(known, known.stdout).toMatchObject({ exitCode: 0 });
  expect((known.json() as unknown as ReviewReport).scope?.baseline).toMatchObject({ known: 2, new: 0 });
});

test("review rejects two formats, and a file that is not the report of a review", async () => {
  const { run, repository, directory } = setup();
  const both = await run("review repository --json --format sarif");
  expect(both).toMatchObject({ exitCode: 2 });
  expect(both.stdout).toContain("expected one format, got --json and --format sarif");
  writeFileSync(join(directory, "report.json"), '{"status":"done"}');
  const wrong = await run("review repository --from report.json");
  expect(wrong).toMatchObject({ exitCode: 2 });
  expect(wrong.stderr).toContain("as `murmur review DIR --json` prints it, got: status");
  expect((await run("review repository --from none.json")).stderr).toContain("it cannot be read");
  expect(readdirSync(repository).sort()).toEqual(["README.md", "package.json", "src"]);
});

test.skipIf(!hasAnalysers())(
  "the linters of a review vote in a ballot, and each finding names the linters that agree",
  async () => {
    const { run, repository } = setup();
    writeFileSync(join(repository, "src/index.js"), "debugger;\nexport const one = 1;\n");
    const linters = ["review-biome", "review-eslint", "review-oxlint"];
    const ran = await run(`review repository --json ${linters.map((each) => `--only ${each}`).join(" ")}`);
    expect(ran.json()).toMatchObject({
      status: "completed",
      agents: 3,
      tasks: 3,
      agreement: [{ agreeing: 3, able: 3 }, { agreeing: 2 }, { agreeing: 1 }],
      findings: [
        // Nothing of this kind has labels, so there is no confidence.
        { file: "src/index.js", line: 1, agreedBy: linters, silent: [], confidence: null, shown: true },
      ],
    });
  },
);

test("an interrupted review ends its swarm", async () => {
  const { start, temp } = setup();
  const child = start("review repository");
  const state = await eventually(() => {
    const [data] = readdirSync(temp).filter((name) => name.startsWith("murmur-review-"));
    return (data === undefined ? null : readState(join(temp, data))) ?? undefined;
  });
  child.kill("SIGINT");
  const startedMs = performance.now();
  expect(await once(child, "exit")).toEqual([1, null]);
  // The aim is 2 s on a quiet machine; the rest is for the load of other tests on few cores.
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  expectGone(state.processes.map(({ pid }) => pid));
  expect(readdirSync(temp).filter((name) => name.startsWith("murmur-"))).toEqual([]);
});
