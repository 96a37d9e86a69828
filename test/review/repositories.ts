// The small test repositories: `test/fixtures/review/repositories/<name>` has the sources, and `expected.json` the planted
// faults and the planted innocences. Owns their copies in a temporary folder, the runs of the analysers, and the comparison.
// Files that git cannot hold well (encodings, odd names, thousands of files) are made by odd-repositories.ts.
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import {
  type Analysis,
  architecture,
  areaOf,
  biome,
  docs,
  eslint,
  oxlint,
  performance,
  type RawFinding,
  security,
  tests,
} from "../../agents/lib/review/index.ts";
import { planReview, scan } from "../../workflows/review/index.ts";
import { importersOf } from "../../workflows/review/left-out/index.ts";
import { localTools } from "./local-swarm.ts";

const REPOSITORIES = new URL("../fixtures/review/repositories", import.meta.url).pathname;

const faultSchema = z.strictObject({
  kind: z.string(),
  file: z.string(),
  line: z.int().min(1).default(1),
});
const expectedSchema = z.strictObject({
  /** The convention of real repositories that this one repeats. */
  about: z.string(),
  /** The faults: each must be found. Of the chapters in EXACT nothing else may be found. */
  planted: z.array(faultSchema),
  /** The innocences: code that looks like a fault. No finding of the kind in that file, on any line that is not planted. */
  innocent: z.array(z.strictObject({ kind: z.string(), file: z.string(), why: z.string() })),
});
export type Expected = z.infer<typeof expectedSchema>;

/** In these chapters every finding is either planted or wrong: the repositories are too small for accidents. */
const EXACT: ReadonlySet<string> = new Set(["architecture", "tests", "documentation"]);

/** A repository in its temporary folder, with the findings of the analysers that run in this process. */
export interface Repository {
  name: string;
  directory: string;
  expected: Expected;
  findings: RawFinding[];
}

/** The analysers that run in this process, with the capability that the plan gives their files to. */
const IN_PROCESS = {
  "review-architecture": architecture,
  "review-tests": tests,
  "review-docs": docs,
  "review-performance": performance,
  "review-security": security,
} as const satisfies Record<string, Analysis>;

/** Every linter, for the one run over all repositories. */
const LINTERS: readonly Analysis[] = [oxlint, biome, eslint];

/** Makes a repository that git cannot hold in `directory`, and returns its expectations. */
export type Maker = (directory: string) => Promise<Expected>;

/** Copies every repository into one temporary folder (the union), because a review leaves fixtures out. */
export async function openRepositories(makers: Readonly<Record<string, Maker>>): Promise<{
  union: string;
  repositories: Repository[];
  close(): Promise<void>;
}> {
  const union = await mkdtemp(join(tmpdir(), "review-repositories-"));
  const repositories: Repository[] = [];
  for (const name of (await readdir(REPOSITORIES)).sort()) {
    const directory = join(union, name);
    await cp(join(REPOSITORIES, name), directory, { recursive: true });
    const text = await readFile(join(directory, "expected.json"), "utf8");
    await rm(join(directory, "expected.json"));
    // A `.gitignore` inside the fixtures would ignore files of this checkout, so it has another name there.
    await rename(join(directory, "gitignore"), join(directory, ".gitignore")).catch(() => undefined);
    repositories.push({ name, directory, expected: expectedSchema.parse(JSON.parse(text)), findings: [] });
  }
  for (const [name, make] of Object.entries(makers)) {
    const directory = join(union, name);
    await mkdir(directory);
    repositories.push({ name, directory, expected: await make(directory), findings: [] });
  }
  return { union, repositories, close: () => rm(union, { recursive: true }) };
}

/** Runs the analysers of this process on one repository, each on the files that a review would give it. */
export async function analyseRepository(directory: string): Promise<RawFinding[]> {
  const { files, leftOut } = await scan(directory);
  const importers = importersOf(leftOut, (path) => /\.[jt]s$/.test(path));
  const planned = planReview(files, Object.keys(IN_PROCESS) as InProcess[], () => true, importers);
  const findings: RawFinding[] = [];
  for (const { by, ...task } of planned) {
    if ("linters" in by) continue;
    const analysis = IN_PROCESS[by.analyser as InProcess];
    findings.push(...(await analysis({ directory, ...task, trustRepoConfig: false }, localTools())).findings);
  }
  return findings;
}

type InProcess = keyof typeof IN_PROCESS;

/** Runs the three linters once over all repositories, and adds the findings to the repository of their file. */
export async function lintRepositories(union: string, repositories: readonly Repository[]): Promise<void> {
  const files: string[] = [];
  for (const { name, directory } of repositories) {
    const planned = planReview((await scan(directory)).files, ["review-eslint"]);
    files.push(...planned.flatMap((task) => task.files.map((file) => `${name}/${file}`)));
  }
  const byName = new Map(repositories.map((repository) => [repository.name, repository]));
  const runs = LINTERS.flatMap((linter) => chunksOf(files).map((chunk) => ({ linter, chunk })));
  for (const { linter, chunk } of runs) {
    const input = { directory: union, files: chunk, trustRepoConfig: false };
    const { findings } = await linter(input, localTools());
    for (const finding of findings) {
      const at = finding.file.indexOf("/");
      byName.get(finding.file.slice(0, at))?.findings.push({ ...finding, file: finding.file.slice(at + 1) });
    }
  }
}

/** The most files of one run of a linter here: one run for the short sizes, because each start takes a second. */
const FILES_PER_RUN = 1_000;

function chunksOf(files: readonly string[]): string[][] {
  const starts = Array.from(
    { length: Math.ceil(files.length / FILES_PER_RUN) },
    (_, at) => at * FILES_PER_RUN,
  );
  return starts.map((start) => files.slice(start, start + FILES_PER_RUN));
}

/** Compares a repository's findings with its expectations. Empty when every planted fault, and nothing innocent, is found. */
export function compare({ expected, findings }: Repository): string[] {
  const placeOf = ({ kind, file, line }: { kind: string; file: string; line: number }) =>
    `${kind} ${file}:${line}`;
  const planted = new Set(expected.planted.map(placeOf));
  const found = new Map(findings.map((finding) => [placeOf(finding), finding]));
  const missing = [...planted].filter((place) => !found.has(place));
  const others = [...found].filter(([place]) => !planted.has(place));
  const isInnocent = ({ kind, file }: RawFinding) =>
    EXACT.has(areaOf(kind)) || expected.innocent.some((one) => one.kind === kind && one.file === file);
  return [
    ...missing.map((place) => `not found: ${place}`),
    ...others
      .filter(([, finding]) => isInnocent(finding))
      .map(([place, { message }]) => `innocent, but found: ${place} ${message}`),
  ].sort();
}
