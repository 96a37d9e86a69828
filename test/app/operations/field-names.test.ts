// Operations serve several faces, so their texts name fields in backticks; the command line alone turns these into flags (cli.ts).
import { expect, test } from "vitest";
import { COMMANDS } from "../../../src/app/commands/index.ts";
import { OPERATIONS } from "../../../src/app/operations/index.ts";
import { listFiles, readSource, readText } from "../../../tools/build/measures/tree.ts";

/** The code whose texts every face shows. */
const SHARED =
  /^src\/(?:app\/(?:operations|office|problems|facts|agents|door|http)|work|coordinator|client|engine|workflow|audit|protocol|consensus)\//;
const FLAG = /(?:^|[^\w-])--[a-z]/;
/** A whole command of the command line, as a text tells a person to run it. */
const COMMAND = /\bmurmur [a-z]/;
/** The ends of commands: the start of each stands before a value, in another part of its template. */
const ENDS_OF_COMMANDS = [
  ...[" --capability NAME", " --since 10m", " --level error", " --result JSON", " --not-done"],
  ...[" --skip ", " --note TEXT"],
];

test("no text of an operation, or of the code below it, names a flag of the command line", () => {
  const found = listFiles()
    .filter((file) => SHARED.test(file) && file.endsWith(".ts") && FLAG.test(readText(file)))
    .flatMap((file) =>
      readSource(file)
        .strings.filter(
          ({ text }) => FLAG.test(text) && !COMMAND.test(text) && !ENDS_OF_COMMANDS.includes(text),
        )
        .map(({ line, text }) => `${file}:${line}: ${text}`),
    );
  expect(found).toEqual([]);
});

test("each field that a text of an operation names in backticks is a field of an operation", () => {
  const fields = new Set(
    OPERATIONS.flatMap(({ input }) => Object.keys((input as { shape?: object }).shape ?? {})),
  );
  const named = listFiles()
    .filter((file) => file.startsWith("src/app/operations/"))
    .flatMap((file) => readSource(file).strings.flatMap(({ text }) => [...text.matchAll(/`([a-zA-Z]+)`/g)]))
    .map(([, field]) => field);
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((field) => !fields.has(field!))).toEqual([]);
});

test("the same error names flags on the command line, and the word of an argument", async () => {
  const { nameFlags } = await import("../../../src/app/cli/cli.ts");
  const input = async (name: string) =>
    (await COMMANDS.find((entry) => entry.name === name)!.load()).command.input;
  expect(nameFlags("name either `task` or `scope`", await input("task cancel"))).toBe(
    "name either TASK or --scope",
  );
  expect(nameFlags("give either `result` or `notDone`; `other` stays", await input("task settle"))).toBe(
    "give either --result or --not-done; `other` stays",
  );
});
