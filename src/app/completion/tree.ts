// The words that a shell can complete: the commands of the table with their flags, values and arguments.
import type { z } from "zod";
import { describeField, GLOBAL_OPTIONS, GROUP_SUMMARIES, nameFlags } from "../cli/cli.ts";
import type { CommandEntry } from "../cli/command.ts";
import { flagName } from "../words.ts";

/** The kinds of names that a running swarm or the working directory knows. */
export const NAME_KINDS = ["agents", "capabilities", "roles"] as const;
/** One of {@link NAME_KINDS}. */
export type NameKind = (typeof NAME_KINDS)[number];

/** The kind of name that the word for a value in the help stands for. */
const KIND_OF_WORD: Readonly<Record<string, NameKind>> = {
  AGENT: "agents",
  CAPABILITY: "capabilities",
  ROLE: "roles",
};

/** A word with its description. */
export interface Word {
  word: string;
  about: string;
}

/** The words for a value: a fixed list, or names that are looked up. A value without either may be a file. */
export interface Values {
  choices: readonly string[];
  names: NameKind | undefined;
}

/** One place of a command line: the program, a group or a command. */
export interface Place {
  /** The words up to here, without the program: `task ls`; empty for the program itself. */
  path: string;
  /** The commands below it, for the program and for groups. */
  commands: readonly Word[];
  flags: readonly (Word & { values: Values | undefined })[];
  /** The values of its arguments. */
  argument: Values;
}

const NO_VALUES: Values = { choices: [], names: undefined };

/** All places, the program first. Loads every command. */
export async function readPlaces(entries: readonly CommandEntry[]): Promise<Place[]> {
  const tops = new Map<string, string>();
  const groups = new Map<string, Word[]>();
  for (const { name, summary } of entries) {
    const [first = "", second] = name.split(" ");
    tops.set(first, second === undefined ? summary : (GROUP_SUMMARIES[first] ?? ""));
    if (second !== undefined)
      groups.set(first, [...(groups.get(first) ?? []), { word: second, about: summary }]);
  }
  const commands = [...tops].map(([word, about]) => ({ word, about }));
  const help = { word: "help", about: "show a command's own options and examples" };
  const globals = globalFlags();
  return [
    { path: "", commands: [...commands, help], flags: globals, argument: NO_VALUES },
    ...[...groups].map(([path, below]) => ({ path, commands: below, flags: globals, argument: NO_VALUES })),
    ...(await Promise.all(entries.map((entry) => readCommand(entry, globals)))),
  ];
}

async function readCommand(entry: CommandEntry, globals: Place["flags"]): Promise<Place> {
  const { command } = await entry.load();
  const flags: Place["flags"][number][] = [];
  let argument = NO_VALUES;
  for (const [key, schema] of Object.entries(command.input.shape)) {
    const { type, defaultValue, choices = [], facts } = describeField(schema as z.ZodType);
    const values = { choices: choices.map(String), names: KIND_OF_WORD[facts.value ?? ""] };
    const about = nameFlags(facts.description ?? "", command.input);
    if (facts.positional === true) {
      // The words of a later argument are not told apart from those of the first.
      if (argument === NO_VALUES) argument = values;
    } else if (type === "boolean") {
      flags.push({ word: flagName(defaultValue === true ? `no-${key}` : key), about, values: undefined });
    } else flags.push({ word: flagName(key), about, values });
  }
  return { path: entry.name, commands: [], flags: [...flags, ...globals], argument };
}

function globalFlags(): Place["flags"] {
  const options = GLOBAL_OPTIONS.map(({ flags, about }) => {
    const [word = "", value] = flags.split(" ");
    return { word, about, values: value === undefined ? undefined : NO_VALUES };
  });
  return [...options, { word: "--help", about: "print this help", values: undefined }];
}
