// The completion scripts. Each finds the place of the command line, prints the candidates of that place, and hands them to the
// shell. Only names of the swarm start the program; all other candidates are in the script. Pure.
import type { Place, Values } from "./tree.ts";

/** The shells with a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** The script of a shell, for the commands of `places`. */
export function writeScript(shell: Shell, places: readonly Place[]): string {
  switch (shell) {
    case "bash":
      return `${HEAD.bash}${candidates(places)}${BASH}`;
    case "zsh":
      return `${HEAD.zsh}${candidates(places)}${ZSH}`;
    case "fish":
      return `${HEAD.fish}${fishCandidates(places)}${fishEnd(places)}`;
    default:
      return shell satisfies never;
  }
}

const HEAD: Readonly<Record<Shell, string>> = {
  bash: `# Completion of murmur for bash. In ~/.bashrc: eval "$(murmur completion bash)"\n`,
  zsh: '#compdef murmur\n# Completion of murmur for zsh. Behind compinit in ~/.zshrc: eval "$(murmur completion zsh)"\n',
  fish: "# Completion of murmur for fish: murmur completion fish > ~/.config/fish/completions/murmur.fish\n",
};

/** The flags that take a value. A word behind one of them is no command. */
function valuedFlags(places: readonly Place[]): string[] {
  const flags = places.flatMap(({ flags }) => flags.filter(({ values }) => values !== undefined));
  return [...new Set(flags.map(({ word }) => word))].sort();
}

/** Each word with its description behind a tab. */
const listing = (words: readonly { word: string; about: string }[]) =>
  words.map(({ word, about }) => `${word}\t${about.replaceAll(/\s+/g, " ")}`);

/** A word for a POSIX shell, and for fish without backslashes. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The function for bash and zsh: `_murmur_candidates CURRENT WORD…` prints the candidates behind the words. */
function candidates(places: readonly Place[]): string {
  const print = (lines: readonly string[]) => `printf '%s\\n' ${lines.map(quote).join(" ")}`;
  const value = ({ choices, names }: Values) =>
    names === undefined ? print(choices) : `_murmur_names ${names}`;
  const values = places.flatMap(({ path, flags }) =>
    flags.flatMap(({ word, values }) =>
      values === undefined || (values.choices.length === 0 && values.names === undefined)
        ? []
        : [`      ${quote(`${path} ${word}`)}) ${value(values)} ;;`],
    ),
  );
  const rows = places.map(({ path, commands, flags, argument }) => {
    const own = commands.length > 0 ? print(listing(commands)) : value(argument);
    const hasOwn = commands.length > 0 || argument.choices.length > 0 || argument.names !== undefined;
    return `    ${quote(path)})
      case "$current" in
        -*) ${print(listing(flags))} ;;
        *) ${hasOwn ? own : ":"} ;;
      esac ;;`;
  });
  return `
_murmur_names() {
  "$_murmur_program" completion bash --names "$1" --timeout 700ms 2>/dev/null
}

_murmur_candidates() {
  local current=$1 at= before= skip= word
  shift
  for word in "$@"; do
    before=$word
    if [ -n "$skip" ]; then skip=; continue; fi
    case "$word" in
      ${valuedFlags(places).join("|")}) skip=yes ;;
      -*) ;;
      help) ;;
      *) case "\${at:+$at }$word" in
        ${places.flatMap(({ path }) => (path === "" ? [] : [quote(path)])).join("|")}) at="\${at:+$at }$word" ;;
      esac ;;
    esac
  done
  if [ -n "$skip" ]; then
    case "$at $before" in
${values.join("\n")}
    esac
    return 0
  fi
  case "$at" in
${rows.join("\n")}
  esac
}
`;
}

const BASH = `
_murmur() {
  local _murmur_program=\${COMP_WORDS[0]} candidate
  local current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r candidate; do
    candidate=\${candidate%%$'\\t'*}
    [[ -n $candidate && $candidate == "$current"* ]] && COMPREPLY+=("$candidate")
  done < <(_murmur_candidates "$current" "\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  return 0
}
complete -o default -F _murmur murmur ./murmur
`;

const ZSH = `
_murmur() {
  local _murmur_program=\${words[1]} candidate
  local -a shown
  while IFS= read -r candidate; do
    [[ -n $candidate ]] && shown+=("\${\${candidate//:/\\\\:}/$'\\t'/:}")
  done < <(_murmur_candidates "\${words[CURRENT]}" "\${(@)words[2,CURRENT-1]}")
  if (( \${#shown} )); then _describe murmur shown; else _files; fi
}
compdef _murmur murmur ./murmur
`;

/** The same function for fish. */
function fishCandidates(places: readonly Place[]): string {
  const fishQuote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const print = (lines: readonly string[]) => `printf '%s\\n' ${lines.map(fishQuote).join(" ")}`;
  const value = ({ choices, names }: Values) =>
    names === undefined ? print(choices) : `_murmur_names ${names}`;
  const values = places.flatMap(({ path, flags }) =>
    flags.flatMap(({ word, values }) =>
      values === undefined || (values.choices.length === 0 && values.names === undefined)
        ? []
        : [`            case ${fishQuote(`${path} ${word}`)}\n                ${value(values)}`],
    ),
  );
  const rows = places.map(({ path, commands, flags, argument }) => {
    const hasOwn = commands.length > 0 || argument.choices.length > 0 || argument.names !== undefined;
    const own = commands.length > 0 ? print(listing(commands)) : value(argument);
    return `        case ${fishQuote(path)}
            if string match -q -- '-*' $current
                ${print(listing(flags))}
            ${hasOwn ? `else\n                ${own}\n            ` : ""}end`;
  });
  return `
function _murmur_names
    set -l words (commandline -opc)
    $words[1] completion bash --names $argv[1] --timeout 700ms 2>/dev/null
end

function _murmur_candidates
    set -l current (commandline -ct)
    set -l words (commandline -opc)
    set -l at ''
    set -l before ''
    set -l skip ''
    for word in $words[2..-1]
        set before $word
        if test -n "$skip"
            set skip ''
            continue
        end
        switch $word
            case ${valuedFlags(places).join(" ")}
                set skip yes
            case '-*' help
            case '*'
                set -l next (string trim -- "$at $word")
                if contains -- $next ${places.flatMap(({ path }) => (path === "" ? [] : [fishQuote(path)])).join(" ")}
                    set at $next
                end
        end
    end
    if test -n "$skip"
        switch "$at $before"
${values.join("\n")}
        end
        return 0
    end
    switch "$at"
${rows.join("\n")}
    end
end
`;
}

/** Fish offers files only where it is told to: for the value of a flag without known values. */
function fishEnd(places: readonly Place[]): string {
  const flags = places.flatMap((place) => place.flags);
  const known = flags.filter(
    ({ values }) => (values?.choices.length ?? 0) > 0 || values?.names !== undefined,
  );
  const open = valuedFlags(places).filter((flag) => !known.some(({ word }) => word === flag));
  return `
function _murmur_wants_file
    set -l words (commandline -opc)
    contains -- $words[-1] ${open.join(" ")}
end

complete -c murmur -f -a '(_murmur_candidates)'
complete -c murmur -n _murmur_wants_file -F
`;
}
