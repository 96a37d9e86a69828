// Checks the commands that pages name against the reference of all commands, docs/commands.md, whose own test holds it to the sources. So
// no module of a command is loaded.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const page = readFileSync(join(import.meta.dirname, "../../docs/commands.md"), "utf8");
/** The help of the program, and of each command. */
const [head = "", ...sections] = page.split(/^## /m);
const helpOf = new Map(sections.map((text) => [text.slice(0, text.indexOf("\n")), text] as const));

/** The fault of a command line without its first word `murmur`: an unknown command or flag; null for none. */
export function findCommandFault(line: string): string | null {
  const words = line.trim().split(/\s+/);
  const name = [words.slice(0, 2).join(" "), words[0] ?? ""].find((each) => helpOf.has(each));
  if (name === undefined) return `there is no command ${words.slice(0, 2).join(" ")}`;
  const help = `${head}${helpOf.get(name)}`;
  const flags = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/, ""));
  const unknown = flags.find((flag) => !new RegExp(`(^|[\\s,])${flag}(?![\\w-])`, "m").test(help));
  return unknown === undefined ? null : `${name} has no ${unknown}`;
}
