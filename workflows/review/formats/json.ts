// The report as one JSON document, whole: the document of `--json`. Pure.
import type { Format } from "./format.ts";

/** Renders a report as one line of JSON. */
export const toJson: Format = (report) => JSON.stringify(report);
