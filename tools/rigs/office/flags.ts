// The command line of the measurements in this folder: flags with numbers, help, and the output of the report. Owns parsing
// and its errors; each tool owns the meaning of its flags.
import { parseArgs } from "node:util";
import { type Figure, renderFigures } from "./figures.ts";

/** A flag: a whole number, a list of names out of `names`, paths (the flag may be repeated), or a switch. */
export type Flag = { about: string } & (
  | { type: "count"; default: number }
  | { type: "names"; names: readonly string[] }
  | { type: "paths"; value: string }
  | { type: "switch" }
);

/** The parsed flags. Every tool has `--json` and `--help`. */
export interface Flags<Name extends string> {
  count(name: Name): number;
  names(name: Name): readonly string[];
  /** The paths of a repeatable flag, in their order; empty without one. */
  paths(name: Name): readonly string[];
  has(name: Name): boolean;
  readonly json: boolean;
}

const STRING = { type: "string" } as const;
const STRINGS = { type: "string", multiple: true } as const;
const BOOLEAN = { type: "boolean" } as const;
const PARSED = { count: STRING, names: STRING, paths: STRINGS, switch: BOOLEAN } as const;
type Value = string | boolean | string[] | undefined;

/** Parses the command line; prints help and exits 0, or names the error and exits 2. */
export function readFlags<Name extends string>(
  usage: string,
  flags: Readonly<Record<Name, Flag>>,
): Flags<Name> {
  const entries = Object.entries(flags) as [Name, Flag][];
  const refuse = (why: string): never => {
    process.stderr.write(`${why}\nrun with --help for all flags\n`);
    process.exit(2);
  };
  let values: Record<string, Value> = {};
  try {
    const own = entries.map(([name, { type }]) => [name, PARSED[type]] as const);
    const options = { ...Object.fromEntries(own), json: BOOLEAN, help: BOOLEAN };
    values = parseArgs({ options }).values as typeof values;
  } catch (error) {
    refuse((error as Error).message);
  }
  if (values.help === true) {
    process.stdout.write(`${describe(usage, entries)}\n`);
    process.exit(0);
  }
  const read = new Map(entries.map(([name, flag]) => [name, readFlag(name, flag, values[name], refuse)]));
  return {
    json: values.json === true,
    count: (name) => read.get(name) as number,
    names: (name) => read.get(name) as readonly string[],
    paths: (name) => read.get(name) as readonly string[],
    has: (name) => read.get(name) as boolean,
  };
}

function readFlag(
  name: string,
  flag: Flag,
  text: Value,
  refuse: (why: string) => never,
): number | readonly string[] | boolean {
  if (flag.type === "switch") return text === true;
  if (flag.type === "paths") return Array.isArray(text) ? text : [];
  if (flag.type === "count") {
    const count = text === undefined ? flag.default : Number(text);
    return Number.isSafeInteger(count) && count >= 1
      ? count
      : refuse(`--${name} is a whole number from 1 on; got ${text}`);
  }
  const chosen = typeof text === "string" ? text.split(",") : flag.names;
  const unknown = chosen.filter((each) => !flag.names.includes(each));
  return unknown.length === 0
    ? chosen
    : refuse(`--${name} is a list of ${flag.names.join(", ")}; got ${unknown.join(", ")}`);
}

function describe(usage: string, entries: readonly [string, Flag][]): string {
  const lines = entries.map(([name, flag]) => {
    const value =
      flag.type === "paths" ? ` ${flag.value}` : { count: " N", names: " LIST", switch: "" }[flag.type];
    const names = flag.type === "names" ? `: ${flag.names.join(", ")}` : "";
    const fallback = flag.type === "count" ? ` (default ${flag.default})` : names && " (default all)";
    return `  ${`--${name}${value}`.padEnd(22)}${flag.about}${names}${fallback}`;
  });
  return [usage, "", ...lines, `  ${"--json".padEnd(22)}one JSON document, with every measured value`].join(
    "\n",
  );
}

const startedMs = performance.now();

/** Reports progress on stderr. */
export function tellProgress(text: string): void {
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  process.stderr.write(`${seconds.padStart(7)}  ${text}\n`);
}

/** Prints a report; the exit code is 1 when a goal was missed, or `faults` has a value above 0. */
export function printReport(
  { json }: { json: boolean },
  figures: readonly Figure[],
  faults: Readonly<Record<string, number>> = {},
): void {
  const isSound = Object.values(faults).every((count) => count === 0);
  const goalsMet = figures.every(({ met }) => met);
  if (json) {
    process.stdout.write(`${JSON.stringify({ goalsMet, ...faults, figures }, null, 2)}\n`);
  } else {
    const told = Object.entries(faults).map(([what, count]) => `${what}: ${count}`);
    process.stdout.write(`${[renderFigures(figures), ...told].join("\n")}\n`);
  }
  process.exitCode = goalsMet && isSound ? 0 : 1;
}
