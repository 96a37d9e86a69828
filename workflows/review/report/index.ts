// The report of a review: its shape for programs, its assembly, and the questions that every format asks about it.
//
//   const report = assembleReport(prepared, scanned, facts);
//   const { shown, noisy } = partsOf(report);

export { assembleReport, type ReviewFacts } from "./assemble.ts";
export { type AnalyserCoverage, type Coverage, coverageOf, renderCoverage } from "./coverage.ts";
export { recordBaseline } from "./record.ts";
export { type FailedTask, type Parts, partsOf, type ReviewReport, reaches } from "./report.ts";
export { reportSchema } from "./schema.ts";
