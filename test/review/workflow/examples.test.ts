import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { COMMENT_MARKER, FORMATS } from "../../../workflows/review/index.ts";
import { AROUND, finding, report } from "./formats/sample.ts";

const EXAMPLES = new URL("../../../examples/review/", import.meta.url).pathname;

interface Step {
  name?: string;
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}
interface Workflow {
  on: Record<string, unknown>;
  permissions: Record<string, string>;
  jobs: Record<string, { permissions?: Record<string, string>; steps: Step[] }>;
}

const read = (file: string): string => readFileSync(join(EXAMPLES, file), "utf8");
const review = parse(read("review.yml")) as Workflow;
const publish = parse(read("review-publish.yml")) as Workflow;
const stepsOf = (workflow: Workflow) => Object.values(workflow.jobs).flatMap(({ steps }) => steps);

/** Runs a shell step as GitHub does, with a `murmur` and a `gh` that only record their arguments. */
function setup(workflow: Workflow, name: string) {
  const directory = mkdtempSync(join(tmpdir(), "review-example-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "bin"));
  mkdirSync(join(directory, "review"));
  for (const program of ["murmur", "gh"]) {
    const file = join(directory, "bin", program);
    writeFileSync(
      file,
      `#!/bin/sh\necho "${program} $*" >> "$ROOT/log"\nprintf '%s' "$ANSWER"\nexit "\${CODE_OF:-0}"\n`,
    );
    chmodSync(file, 0o755);
  }
  const script = stepsOf(workflow).find((step) => step.name === name)?.run ?? "exit 99";
  const run = (env: Record<string, string> = {}) => {
    const ran = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", script], {
      cwd: directory,
      encoding: "utf8",
      env: {
        PATH: `${join(directory, "bin")}:${process.env.PATH}`,
        ROOT: directory,
        ANSWER: "",
        CODE: "/code",
        GITHUB_OUTPUT: join(directory, "output"),
        REPOSITORY: "owner/name",
        NUMBER: "7",
        ...env,
      },
    });
    const lines = (file: string) =>
      existsSync(join(directory, file))
        ? readFileSync(join(directory, file), "utf8").trimEnd().split("\n")
        : [];
    return { exitCode: ran.status, stderr: ran.stderr, called: lines("log"), output: lines("output") };
  };
  return { directory, run };
}

test("the workflow that reads the code of a stranger has no rights and no credentials", () => {
  expect(Object.keys(review.on).sort()).toEqual(["pull_request", "push"]);
  expect(review.permissions).toEqual({ contents: "read" });
  for (const job of Object.values(review.jobs)) expect(job.permissions).toBeUndefined();
  const checkouts = stepsOf(review).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
  expect(checkouts).toHaveLength(1);
  expect(checkouts[0]?.with).toMatchObject({ "persist-credentials": false, path: "code" });
  // npm reads the .npmrc of its working directory, so it runs before the code is there, and elsewhere.
  const order = stepsOf(review).map(({ name, uses }) => name ?? uses);
  expect(order.indexOf("Install Murmur")).toBeLessThan(order.indexOf("actions/checkout@v5"));
});

test("the workflow with rights never gets the code of a pull request", () => {
  expect(Object.keys(publish.on)).toEqual(["workflow_run"]);
  expect(publish.permissions).toEqual({});
  expect(publish.jobs.publish?.permissions).toEqual({
    actions: "read",
    contents: "read",
    "pull-requests": "write",
    "security-events": "write",
  });
  expect(stepsOf(publish).some(({ uses }) => uses?.startsWith("actions/checkout@"))).toBe(false);
});

test("no value of the event is pasted into a shell script", () => {
  const scripts = [...stepsOf(review), ...stepsOf(publish)].flatMap(({ run }) => run ?? []);
  expect(scripts).toHaveLength(6);
  for (const script of scripts) expect(script).not.toContain("${{");
});

test("the review step makes the report once and shows it in two formats", () => {
  const { exitCode, called, output } = setup(review, "Review").run();
  expect(exitCode).toBe(0);
  expect(called).toEqual([
    "murmur review /code --json",
    "murmur review /code --from review/review.json --format sarif",
    "murmur review /code --from review/review.json --format markdown",
  ]);
  expect(output).toEqual(["status=0"]);
  const pull = setup(review, "Review").run({ BASE: "0123abcd" });
  expect(pull.called[0]).toBe("murmur review /code --changed=0123abcd --json");
});

test("the checkout has the history that a review of a change needs", () => {
  const [checkout] = stepsOf(review).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
  expect(checkout?.with).toMatchObject({ "fetch-depth": 0 });
  const step = stepsOf(review).find(({ name }) => name === "Review");
  expect(step?.env).toMatchObject({
    BASE: expect.stringContaining("github.event.pull_request.base.sha"),
  });
});

const hasJq = spawnSync("jq", ["--version"]).status === 0;

test.skipIf(!hasJq)(
  "silenced findings stay out of code scanning, which would show them as open alerts",
  () => {
    const { directory, run } = setup(review, "Leave out silenced findings");
    const silenced = { ...finding, line: 2, reason: "on purpose", commentLine: 1 };
    const log = FORMATS.sarif({ ...report, findings: [finding], suppressed: [silenced] }, AROUND);
    writeFileSync(join(directory, "all.sarif"), log);
    expect(JSON.parse(log).runs[0].results).toHaveLength(2);
    expect(run()).toMatchObject({ exitCode: 0, stderr: "" });
    const kept = JSON.parse(readFileSync(join(directory, "review/review.sarif"), "utf8"));
    expect(kept.runs[0].results).toEqual(JSON.parse(log).runs[0].results.slice(0, 1));
    expect(stepsOf(publish).find(({ uses }) => uses?.includes("upload-sarif"))?.with).toMatchObject({
      sarif_file: "review/review.sarif",
    });
  },
);

test("a high finding, and a failed review, fail the job", () => {
  const name = "Annotate, and fail on high findings";
  expect(setup(review, name).run({ STATUS: "0" })).toMatchObject({ exitCode: 0 });
  expect(setup(review, name).run({ STATUS: "0", CODE_OF: "1" })).toMatchObject({ exitCode: 1 });
  expect(setup(review, name).run({ STATUS: "3" })).toMatchObject({ exitCode: 3 });
});

test("the pull request is found by the owner, the branch and the commit of the run", () => {
  const facts = { HEAD: "stranger:topic", SHA: "0123abcd", BRANCH: "topic", ANSWER: "12" };
  const found = setup(publish, "Find the pull request").run({ ...facts, EVENT: "pull_request" });
  expect(found.output).toEqual(["number=12", "ref=refs/pull/12/head"]);
  expect(found.called[0]).toContain("repos/owner/name/pulls -f state=open -f head=stranger:topic");
  expect(found.called[0]).toContain('.head.sha == "0123abcd"');
  const push = setup(publish, "Find the pull request").run({ ...facts, EVENT: "push", BRANCH: "main" });
  expect(push.output).toEqual(["number=", "ref=refs/heads/main"]);
  expect(push.called).toEqual([]);
});

test("the comment is made once, and then updated", () => {
  const { directory, run } = setup(publish, "Comment");
  writeFileSync(join(directory, "review/comment.md"), `${COMMENT_MARKER}\n### Review: 1 finding\n`);
  expect(run()).toMatchObject({ exitCode: 0 });
  const { called } = run({ ANSWER: "34\n35\n" });
  expect(called[0]).toContain(`startswith("${COMMENT_MARKER}")`);
  expect(called[1]).toMatch(
    /--method POST repos\/owner\/name\/issues\/7\/comments -F body=@review\/comment\.md$/,
  );
  expect(called[3]).toMatch(
    /--method PATCH repos\/owner\/name\/issues\/comments\/34 -F body=@review\/comment\.md$/,
  );
});

test("a clean review makes no comment, and an artifact that is no comment of a review is refused", () => {
  const { directory, run } = setup(publish, "Comment");
  writeFileSync(join(directory, "review/comment.md"), `${COMMENT_MARKER}\n### Review: no findings\n`);
  expect(run().called).toHaveLength(1);
  writeFileSync(join(directory, "review/comment.md"), "Buy this!\n");
  expect(run()).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("nothing is published") });
});

test("the hooks before a commit review the changes of the checkout, and everything before the first commit", () => {
  const { directory, run: _ } = setup(review, "Review");
  execFileSync("git", ["init", "--quiet"], { cwd: directory });
  const hook = () =>
    execFileSync(join(EXAMPLES, "pre-commit"), {
      cwd: join(directory, "review"),
      env: { PATH: `${join(directory, "bin")}:${process.env.PATH}`, ROOT: directory, ANSWER: "" },
    });
  hook();
  expect(readFileSync(join(directory, "log"), "utf8")).toBe(`murmur review ${directory} --fail-on high\n`);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], { cwd: directory });
  git("commit", "--quiet", "--allow-empty", "--no-verify", "-m", "first");
  hook();
  expect(readFileSync(join(directory, "log"), "utf8").split("\n")[1]).toBe(
    `murmur review ${directory} --changed=HEAD --fail-on high`,
  );
  const { repos } = parse(read("pre-commit-config.yaml")) as { repos: { hooks: { entry: string }[] }[] };
  expect(repos[0]?.hooks[0]?.entry).toBe("murmur review . --changed=HEAD --fail-on high");
});
