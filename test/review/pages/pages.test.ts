import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import {
  type Analysis,
  architecture,
  biome,
  docs,
  eslint,
  exampleFiles,
  hasAnalysers,
  KIND_TEXTS,
  KINDS,
  kindPages,
  LINTERS,
  oxlint,
  pageOf,
  performance,
  type RawFinding,
  type ReviewCapability,
  type ReviewOutput,
  security,
  tests,
} from "../../../agents/lib/review/index.ts";
import { applyKinds, reviewConfigSchema } from "../../../workflows/review/config/index.ts";
import { applyIgnoreComments, readIgnoreComments } from "../../../workflows/review/suppress/index.ts";
import { localTools } from "../local-swarm.ts";

const ANALYSES: Record<ReviewCapability, Analysis> = {
  "review-security": security,
  "review-architecture": architecture,
  "review-oxlint": oxlint,
  "review-biome": biome,
  "review-eslint": eslint,
  "review-performance": performance,
  "review-tests": tests,
  "review-docs": docs,
};
/** Stands for `ghp_…` of the example: built from parts, so that no file of this repository seems to have a secret. */
const TOKEN = ["gh", "p_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("");

type Side = "wrong" | "right";

/** Writes the examples of some kinds into one directory, each in a folder of its own. */
function setup(kinds: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), "review-pages-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const files: string[] = [];
  for (const kind of kinds) {
    for (const side of ["wrong", "right"] as const) {
      for (const [name, text] of Object.entries(exampleFiles(KIND_TEXTS[kind]?.[side] ?? {}))) {
        const file = `${kind}/${side}/${name}`;
        mkdirSync(dirname(join(directory, file)), { recursive: true });
        writeFileSync(join(directory, file), text.replaceAll("ghp_…", TOKEN));
        files.push(file);
      }
    }
  }
  const run = (capability: ReviewCapability, below = ""): Promise<ReviewOutput> => {
    const inside = files.filter((file) => file.startsWith(below)).map((file) => file.slice(below.length));
    const input = { directory: join(directory, below), files: inside, trustRepoConfig: false };
    return ANALYSES[capability](input, localTools());
  };
  /** Puts the comment of the kind's page where the page says, and tells when the finding is not silenced by it. */
  const silence = async (capability: ReviewCapability, kind: string, finding: RawFinding) => {
    const { file, line } = finding;
    const comment = blockOf(kind, "(?:js|markdown)");
    if (file.endsWith(".json") !== (comment === undefined))
      return [`the page of ${kind} is wrong about a comment in ${file}`];
    if (comment === undefined) return [];
    const path = join(directory, kind, "wrong", file);
    const lines = readFileSync(path, "utf8").split("\n");
    lines.splice(comment.includes("-file ") ? lines.length : line - 1, 0, comment);
    writeFileSync(path, lines.join("\n"));
    const after = await run(capability, `${kind}/wrong/`);
    const comments = new Map([[file, readIgnoreComments(file, lines.join("\n"))]]);
    const { findings, suppressed } = applyIgnoreComments(after.findings, comments, () => true);
    const left = findings.filter((found) => found.kind === kind && found.anchor === finding.anchor);
    return left.length === 0 && suppressed.length > 0 ? [] : [`the comment does not silence ${kind}`];
  };
  return { run, silence };
}

/** Returns the first code block of a language in the last chapter of a kind's page. */
function blockOf(kind: string, language: string): string | undefined {
  const page = kindPages().get(`docs/review/kinds/${kind}.md`) ?? "";
  const chapter = page.slice(page.indexOf("## Switch it off"));
  return new RegExp(`\`\`\`${language}\\n([^]*?)\\n\`\`\``).exec(chapter)?.[1];
}

const has = (output: ReviewOutput, kind: string, below = "") =>
  output.findings.some((finding) => finding.kind === kind && finding.file.startsWith(below));
const ofLinters = Object.keys(KINDS).filter((kind) => LINTERS.some((linter) => KINDS[kind]?.seenBy[linter]));

test("every kind that an analyser can report has a page, and no other kind has one", () => {
  const reported = Object.keys(KINDS).filter((kind) => Object.keys(KINDS[kind]?.seenBy ?? {}).length > 0);
  expect(Object.keys(KIND_TEXTS).sort()).toEqual(reported.sort());
  expect(pageOf("secret")).toBe("docs/review/kinds/secret.md");
  expect(pageOf("no-void")).toBeNull();
});

describe.skipIf(!hasAnalysers())("the examples of the pages", () => {
  test("each linter that knows a kind reports its wrong example, and no linter its right one", async () => {
    const { run } = setup(ofLinters);
    const wrong: string[] = [];
    for (const linter of LINTERS) {
      const output = await run(linter);
      for (const kind of ofLinters) {
        const sees = (side: Side) => has(output, kind, `${kind}/${side}/`);
        if (!sees("wrong")) wrong.push(`${linter} does not report the wrong example of ${kind}`);
        if (sees("right")) wrong.push(`${linter} reports the right example of ${kind}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("every other analyser reports the wrong examples of its kinds, and not the right ones", async () => {
    const wrong: string[] = [];
    for (const kind of Object.keys(KIND_TEXTS)) {
      for (const capability of Object.keys(KINDS[kind]?.seenBy ?? {}) as ReviewCapability[]) {
        if ((LINTERS as readonly string[]).includes(capability)) continue;
        const { run, silence } = setup([kind]);
        const output = await run(capability, `${kind}/wrong/`);
        if (!has(output, kind)) wrong.push(`${capability} does not report the wrong example of ${kind}`);
        const [finding] = output.findings.filter((found) => found.kind === kind);
        if (finding !== undefined) wrong.push(...(await silence(capability, kind, finding)));
        if (has(await run(capability, `${kind}/right/`), kind))
          wrong.push(`${capability} reports the right example of ${kind}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

test("the entry for murmur-review.yaml on each page switches that kind off", () => {
  for (const kind of Object.keys(KIND_TEXTS)) {
    const config = reviewConfigSchema.parse(parse(blockOf(kind, "yaml") ?? ""));
    const finding = { kind, file: "src/a.ts", line: 1, severity: "high" } as const;
    const { findings, switchedOff } = applyKinds([finding], config);
    expect({ kind, findings, switchedOff }).toEqual({
      kind,
      findings: [],
      switchedOff: [{ kind, count: 1 }],
    });
  }
});

test("the folder of the pages has the generated pages and no other file", () => {
  const folder = new URL("../../../docs/review/kinds/", import.meta.url);
  const generated = [...kindPages().keys()].map((path) => path.slice(path.lastIndexOf("/") + 1));
  expect(readdirSync(folder).sort()).toEqual(generated.sort());
});
