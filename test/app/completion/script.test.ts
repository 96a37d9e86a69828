// The completion scripts, run by their shells. A shell that this machine does not have is skipped, and the report says so.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMMANDS } from "../../../src/app/commands/index.ts";
import { SHELLS, type Shell, writeScript } from "../../../src/app/completion/script.ts";
import { type Place, readPlaces } from "../../../src/app/completion/tree.ts";

let directory: string;
let places: Place[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "murmur-completion-"));
  places = await readPlaces(COMMANDS);
  for (const shell of SHELLS) writeFileSync(join(directory, shell), writeScript(shell, places));
  // In place of the program: it knows two agents and nothing else.
  const program = join(directory, "murmur");
  writeFileSync(program, `#!/bin/sh\n[ "$4" = agents ] || exit 3\nprintf '%s\\n' echo-1 echo-2\n`);
  chmodSync(program, 0o755);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** How each shell is asked for the candidates behind the words of a line; a person types the last word. */
const ASK: Readonly<Record<Shell, (words: readonly string[]) => readonly string[]>> = {
  bash: (words) => [
    "bash",
    "-c",
    `. "$0" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _murmur && printf '%s\\n' "\${COMPREPLY[@]}"`,
    join(directory, "bash"),
    ...words,
  ],
  // The function that hands the candidates to zsh's own widgets is replaced, because those need a terminal.
  zsh: (words) => [
    "zsh",
    "-f",
    "-c",
    `compdef() { :; }; _files() { :; }; . "$0"
     _describe() { for one in "\${shown[@]}"; do [[ $one == "\${words[CURRENT]}"* ]] && print -r -- "\${one%%:*}"; done }
     words=("$@"); CURRENT=$#; _murmur; :`,
    join(directory, "zsh"),
    ...words,
  ],
  fish: (words) => [
    "fish",
    "--no-config",
    "-c",
    `source ${join(directory, "fish")}; complete -C "${words.join(" ")}"`,
  ],
};

const isThere = (shell: Shell) => spawnSync(shell, ["-c", "true"]).status === 0;

function complete(shell: Shell, line: string): string[] {
  const [command = "", ...args] = ASK[shell](line.split(" "));
  const { stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    cwd: directory,
    env: { ...process.env, HOME: directory, PATH: `${directory}:${process.env.PATH}` },
  });
  expect(stderr).toBe("");
  return stdout.split("\n").flatMap((text) => (text === "" ? [] : [text.split("\t")[0]!]));
}

for (const shell of SHELLS) {
  test.skipIf(!isThere(shell)).each([
    ["murmur ta", ["task"]],
    ["murmur task wat", ["watch"]],
    ["murmur --prefix task task wat", ["watch"]],
    ["murmur help task wat", ["watch"]],
    ["murmur task ls --stat", ["--state"]],
    ["murmur submit echo --priority ", ["urgent", "high", "normal", "low"]],
    ["murmur submit --strategy unan", ["unanimous"]],
    ["murmur completion ", ["bash", "zsh", "fish"]],
    ["murmur agent pause ", ["echo-1", "echo-2"]],
    ["murmur submit ec", []],
    ["murmur task ls nonsense-", []],
  ])(`${shell} completes “%s” to %j`, (line, expected) => {
    expect(complete(shell, line).sort()).toEqual([...expected].sort());
  });
}

test("every command and every flag is in the places, and each value list belongs to a flag with a value", () => {
  expect(places.map(({ path }) => path)).toEqual(expect.arrayContaining(COMMANDS.map(({ name }) => name)));
  const submit = places.find(({ path }) => path === "submit");
  expect(submit?.argument.names).toBe("capabilities");
  for (const word of ["--wait", "--json", "--help"]) {
    expect(submit?.flags.find((flag) => flag.word === word)?.values).toBeUndefined();
  }
  for (const word of ["--priority", "--server"]) {
    expect(submit?.flags.find((flag) => flag.word === word)?.values).toBeDefined();
  }
});

test("descriptions with quotes, colons and dollars do not break a script", () => {
  const about = `it's a "trap": $(false) \`false\` \\ end`;
  const odd: Place = {
    path: "",
    commands: [{ word: "odd", about }],
    flags: [{ word: "--odd", about, values: { choices: ["it's"], names: undefined } }],
    argument: { choices: [], names: undefined },
  };
  for (const shell of SHELLS) {
    if (!isThere(shell)) continue;
    writeFileSync(join(directory, shell), writeScript(shell, [odd, { ...odd, path: "odd", commands: [] }]));
    expect(complete(shell, "murmur o"), shell).toEqual(["odd"]);
    expect(complete(shell, "murmur --o"), shell).toEqual(["--odd"]);
    expect(complete(shell, "murmur odd --odd "), shell).toEqual(["it's"]);
    writeFileSync(join(directory, shell), writeScript(shell, places));
  }
});
