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

/** The parts of a script whose form depends on the shell. */
interface Dialect {
  quote(text: string): string;
  /** The branch for the value of a flag; `label` is the place and the flag, `action` prints the candidates. */
  valueBranch(label: string, action: string): string;
  /** The branch of a place: prints its flags for a word that begins with `-`, and else runs `own`, if the place has candidates. */
  placeBranch(label: string, branch: { flags: string; own: string | undefined }): string;
}

const POSIX: Dialect = {
  quote: (text) => `'${text.replaceAll("'", "'\\''")}'`,
  valueBranch: (label, action) => `      ${label}) ${action} ;;`,
  placeBranch: (label, { flags, own = ":" }) => `    ${label})
      case "$current" in
        -*) ${flags} ;;
        *) ${own} ;;
      esac ;;`,
};

const FISH: Dialect = {
  quote: (text) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`,
  valueBranch: (label, action) => `            case ${label}\n                ${action}`,
  placeBranch: (label, { flags, own }) => `        case ${label}
            if string match -q -- '-*' $current
                ${flags}
            ${own === undefined ? "" : `else\n                ${own}\n            `}end`,
};

/** The branches of a script in the form of a shell, for the values of flags and for the places, and the quoted paths of the places. */
function branchesOf(places: readonly Place[], dialect: Dialect) {
  const { quote } = dialect;
  const print = (lines: readonly string[]) => `printf '%s\\n' ${lines.map(quote).join(" ")}`;
  const printValues = ({ choices, names }: Values) =>
    names === undefined ? print(choices) : `_murmur_names ${names}`;
  const values = places.flatMap(({ path, flags }) =>
    flags.flatMap(({ word, values }) =>
      hasValues(values) ? [dialect.valueBranch(quote(`${path} ${word}`), printValues(values))] : [],
    ),
  );
  const rows = places.map(({ path, commands, flags, argument }) => {
    const values = hasValues(argument) ? printValues(argument) : undefined;
    const own = commands.length > 0 ? print(listing(commands)) : values;
    return dialect.placeBranch(quote(path), { flags: print(listing(flags)), own });
  });
  const paths = places.flatMap(({ path }) => (path === "" ? [] : [quote(path)]));
  return { values: values.join("\n"), rows: rows.join("\n"), paths };
}

/** Whether the script knows candidates for a value. */
function hasValues(values: Values | undefined): values is Values {
  return values !== undefined && (values.choices.length > 0 || values.names !== undefined);
}

/** The function for bash and zsh: `_murmur_candidates CURRENT WORD…` prints the candidates behind the words. */
function candidates(places: readonly Place[]): string {
  const { values, rows, paths } = branchesOf(places, POSIX);
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
        ${paths.join("|")}) at="\${at:+$at }$word" ;;
      esac ;;
    esac
  done
  if [ -n "$skip" ]; then
    case "$at $before" in
${values}
    esac
    return 0
  fi
  case "$at" in
${rows}
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
  const { values, rows, paths } = branchesOf(places, FISH);
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
                if contains -- $next ${paths.join(" ")}
                    set at $next
                end
        end
    end
    if test -n "$skip"
        switch "$at $before"
${values}
        end
        return 0
    end
    switch "$at"
${rows}
    end
end
`;
}

/** Fish offers files only where it is told to: for the value of a flag without known values. */
function fishEnd(places: readonly Place[]): string {
  const flags = places.flatMap((place) => place.flags);
  const known = flags.filter(({ values }) => hasValues(values));
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
