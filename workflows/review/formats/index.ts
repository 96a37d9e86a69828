// The formats of a report: one file each, a pure function from a report to a text.
//
//   process.stdout.write(`${FORMATS.sarif(report, { version, checkout, pagesUrl: null })}\n`);

import type { Format } from "./format.ts";
import { toGithub } from "./github.ts";
import { toJson } from "./json.ts";
import { toMarkdown } from "./markdown.ts";
import { toSarif } from "./sarif.ts";
import { renderReport } from "./text.ts";

export type { Checkout, Format, Surroundings } from "./format.ts";
export { MAX_ANNOTATIONS_PER_LEVEL } from "./github.ts";
export { COMMENT_MARKER, MAX_COMMENT_CHARACTERS } from "./markdown.ts";
export { type RenderOptions, renderReport } from "./text.ts";

/** The names of the formats, the default first. */
export const FORMAT_NAMES = ["text", "json", "sarif", "github", "markdown"] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

/** The formats by name. */
export const FORMATS: Readonly<Record<FormatName, Format>> = {
  text: (report, { pagesUrl }) => renderReport(report, { pagesUrl }),
  json: toJson,
  sarif: toSarif,
  github: toGithub,
  markdown: toMarkdown,
};
