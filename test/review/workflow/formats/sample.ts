// A small report for the tests of the formats.
import type { Finding, ReviewReport, Surroundings } from "../../../../workflows/review/index.ts";

export const finding = {
  fingerprint: "0123456789abcdef",
  kind: "unused-variable",
  rule: "no-unused-vars",
  severity: "low" as const,
  file: "a.ts",
  line: 1,
  message: "'a' is never used.",
  agreedBy: ["review-biome", "review-oxlint"],
  silent: ["review-eslint"],
  confidence: 0.75,
  anchor: "00112233aabbccdd",
  measured: { labelled: 40, useful: 30, false: 0 },
  shown: true,
  whyHidden: null,
} satisfies Partial<Finding>;
export const report: ReviewReport = {
  status: "partial",
  directory: "/repo",
  files: 1,
  leftOut: [],
  scope: null,
  safety: {
    trusted: false,
    executed: [],
    read: [],
    ignored: [],
    sandbox: {
      readOnly: { had: true, by: "bwrap" },
      noNetwork: { had: true, by: "bwrap" },
      environment: "scrubbed",
    },
  },
  suppressed: [],
  config: { file: null, switchedOff: [] },
  coverage: { analysers: [], unread: [], missed: [] },
  durationMs: 1234,
  agents: 2,
  tasks: 3,
  agreement: [{ agreeing: 2, able: 3, confidence: 0.75, right: 30, labelled: 40 }],
  findings: [1, 2, 3].map((line) => ({ ...finding, line })),
  failedTasks: [{ capability: "review-docs", error: "timeout: no answer", files: 1 }],
};

/** The facts around the report. */
export const AROUND = {
  version: "1.2.3",
  checkout: { prefix: "", revision: "0123abcd", branch: "main", webUrl: "https://github.com/owner/name" },
  pagesUrl: "https://code.example.test/murmur/",
} satisfies Surroundings;
