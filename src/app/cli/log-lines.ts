// Log lines for people: one JSON line of pino becomes one readable line. A line that is no JSON is shown as it is.
import { printable, type Terminal } from "./terminal.ts";

/** The numbers of pino's levels. */
const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

/** The fields of every line. They have a place of their own, or are not shown. */
const PINO_FIELDS = new Set(["level", "time", "pid", "hostname", "name", "msg", "err"]);

/** Renders a line as `12:03:04.567 warn  echo-1  message key=value`; `processName` is the third word. */
export function showLogLine(line: string, processName: string, colors: Terminal["colors"]): string {
  const entry = readEntry(line);
  if (entry === null) return `${colors.dim(processName)}  ${printable(line)}`;
  const level = LEVELS[Number(entry.level)] ?? "info";
  const paint =
    level === "error" || level === "fatal" ? colors.red : level === "warn" ? colors.yellow : String;
  const at = typeof entry.time === "number" ? new Date(entry.time).toISOString().slice(11, 23) : "";
  const shown = Object.entries(entry).filter(([key]) => !PINO_FIELDS.has(key));
  const isBlock = ([, value]: [string, unknown]) => typeof value === "string" && value.includes("\n");
  const fields = shown
    .filter((field) => !isBlock(field))
    .map(([key, value]) => ` ${colors.dim(`${key}=`)}${showField(value)}`)
    .join("");
  const error = entry.err as { message?: string } | undefined;
  const cause = error?.message === undefined ? "" : `: ${error.message}`;
  const head = `${colors.dim(at)} ${paint(level.padEnd(5))} ${colors.cyan(processName)}  ${String(entry.msg ?? "")}${cause}${fields}`;
  // Texts of several lines, such as a stack, follow below their line.
  const blocks = shown.filter(isBlock).flatMap(([, value]) => String(value).split("\n"));
  return [head, ...blocks.map((line) => `    ${line}`)].map(printable).join("\n");
}

function showField(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function readEntry(line: string): Record<string, unknown> | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}
