// The trial of the review: labels, samples and counts over a made-up checkout.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LINTERS } from "../../agents/lib/review/index.ts";
import { createJudge, drawSample, parseLabels } from "../../tools/rigs/trial/labels.ts";
import { measureRows, withRows } from "../../tools/rigs/trial/table.ts";
import { type Judged, tally } from "../../tools/rigs/trial/tally.ts";
import type { Finding } from "../../workflows/review/index.ts";
import { learnCalibration } from "../review/calibrate.ts";

const RIG = join(import.meta.dirname, "../../tools/rigs/review-trial.ts");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "review-trial-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function makeFinding(line: number, more: Partial<Finding> = {}): Finding {
  return {
    fingerprint: `${line}`.padStart(16, "0"),
    kind: "unused-variable",
    rule: "no-unused-vars",
    severity: "low",
    file: "src/a.js",
    line,
    message: "'a' is never used.",
    agreedBy: ["review-biome", "review-oxlint"],
    silent: ["review-eslint"],
    confidence: null,
    measured: null,
    shown: true,
    whyHidden: null,
    anchor: "a",
    ...more,
  };
}

function makeReport(findings: readonly Finding[]): object {
  return { status: "completed", findings };
}

async function runRig(argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [RIG, ...argv])) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

test("a finding gets the verdict of the nearest label of its kind and file, at most one line away", () => {
  const labels = parseLabels(
    `{"file":"src/a.js","line":4,"kind":"unused-variable","verdict":"false"}

{"file":"src/a.js","line":5,"kind":"unused-variable","verdict":"useful","why":"left over"}
{"file":"src/a.js","line":9,"kind":"unused-variable","verdict":null}`,
    "labels",
  );
  const judge = createJudge(labels);
  expect([3, 4, 5, 6, 7, 9].map((line) => judge(makeFinding(line)))).toEqual([
    "false",
    "false",
    "useful",
    "useful",
    undefined,
    undefined,
  ]);
  expect(judge(makeFinding(4, { kind: "duplicate-key" }))).toBeUndefined();
});

test("a wrong line of a label file is refused with its number and the expected verdicts", () => {
  expect(() => parseLabels(`\n{"file":"a.js","line":1,"kind":"k","verdict":"good"}`, "a.jsonl")).toThrow(
    /a\.jsonl:2: expected .*"useful" \| "true-but-noise" \| "false" \| null.*verdict/,
  );
});

test("a sample is the same for the same seed, and other findings do not change its order", () => {
  const findings = Array.from({ length: 40 }, (_, index) => makeFinding(index + 1));
  const draw = (seed: number, from: readonly Finding[]) =>
    drawSample(from, { size: 10, perKind: 30, seed }, ({ kind }) => kind).map(({ line }) => line);
  expect(draw(1, findings)).toEqual(draw(1, findings.toReversed()));
  expect(draw(1, findings)).not.toEqual(draw(2, findings));
  const [first, ...others] = draw(1, findings);
  expect(
    draw(
      1,
      findings.filter(({ line }) => line !== first),
    ).slice(0, 9),
  ).toEqual(others);
  expect(drawSample(findings, { size: 10, perKind: 3, seed: 1 }, ({ kind }) => kind)).toHaveLength(3);
});

test("labels become rows by kind, purpose and agreement, and a calibration that counts useful findings", () => {
  const all = { agreedBy: [...LINTERS], silent: [] };
  const judged = [
    { finding: makeFinding(1, all), verdict: "useful" },
    { finding: makeFinding(2, all), verdict: "true-but-noise" },
    { finding: makeFinding(3, { ...all, file: "test/a.test.js" }), verdict: "useful" },
    { finding: makeFinding(4), verdict: "false" },
    { finding: makeFinding(5), verdict: undefined },
  ].map((each) => ({ ...each, repository: "made-up", isShown: true }) as Judged);
  const rows = measureRows(judged);
  expect(rows).toEqual([
    ["unused-variable", "production", "all", 2, 1, 0],
    ["unused-variable", "production", "some", 1, 0, 1],
    ["unused-variable", "test", "all", 1, 1, 0],
  ]);
  const text = "export const MEASURED: readonly MeasuredRow[] = [\n  old,\n];\nmore;\n";
  expect(withRows(text, rows.slice(0, 1))).toBe(
    'export const MEASURED: readonly MeasuredRow[] = [\n  ["unused-variable", "production", "all", 2, 1, 0],\n];\nmore;\n',
  );
  expect(learnCalibration(judged).cells).toContainEqual([3, 3, 2, 3]);
});

test("a referee that was not asked has not been silent", () => {
  const finding = makeFinding(1, { agreedBy: ["review-biome", "review-oxlint"], silent: [] });
  const judged = [{ finding, verdict: "useful", repository: "made-up", isShown: true } as Judged];
  expect(learnCalibration(judged).cells).toEqual([
    [1, 1, 2, 2],
    [2, 2, 1, 1],
  ]);
});

test("a tally counts verdicts of labelled findings only, with Wilson's interval", () => {
  const verdicts = ["useful", "useful", "true-but-noise", "false", undefined] as const;
  const judged = verdicts.map((verdict, index) => ({
    repository: "made-up",
    finding: makeFinding(index + 1),
    verdict,
    isShown: index > 0,
  }));
  const [row] = tally(judged, ({ repository }) => [repository]);
  expect(row).toMatchObject({ findings: 5, shown: 4, labelled: 4, useful: 2, noise: 1, false: 1 });
  expect(row?.usefulShare?.rate).toBe(0.5);
  // Wilson 1927 for 2 of 4.
  expect(row?.usefulShare?.low).toBeCloseTo(0.15, 2);
  expect(row?.usefulShare?.high).toBeCloseTo(0.85, 2);
});

test("the rig compares kept reports with label files, samples the rest, and names an absent checkout", async () => {
  const checkouts = join(folder, "checkouts");
  const checkout = join(checkouts, "made-up");
  for (const each of [join(checkout, "src"), join(folder, "reports")]) mkdirSync(each, { recursive: true });
  writeFileSync(join(checkout, "src/a.js"), "let a;\nlet b;\nlet c;\n\nlet d;\n");
  writeFileSync(
    `${checkout}.labels.jsonl`,
    `${JSON.stringify({ file: "src/a.js", line: 1, kind: "unused-variable", verdict: "useful" })}\n`,
  );
  const report = makeReport([makeFinding(1), makeFinding(5)]);
  writeFileSync(join(folder, "reports/made-up.json"), JSON.stringify(report));
  const sample = join(folder, "sample.jsonl");
  const absent = ["--checkout", join(folder, "nowhere")];
  const flags = [
    ...absent,
    "--folder",
    checkouts,
    "--reports",
    join(folder, "reports"),
    "--sample",
    sample,
    "--json",
  ];
  const ran = await runRig(flags);
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stderr).toContain("nowhere is absent; fetch your own checkout");
  const { all, kind } = JSON.parse(ran.stdout);
  expect(all[0]).toMatchObject({ findings: 2, labelled: 1, useful: 1 });
  expect(kind[0].group).toEqual(["unused-variable", "production", "2 of 3"]);
  const [open] = parseLabels(readFileSync(sample, "utf8"), sample);
  expect(open).toMatchObject({ repository: "made-up", line: 5, verdict: null });
  expect(open?.excerpt).toContain("5> let d;");
});
