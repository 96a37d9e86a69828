// The names of the linters' own configuration files in a repository. Data only.
import { LINTERS, type Linter } from "../contract.ts";

const CONFIGS: Readonly<Record<Linter, readonly string[]>> = {
  "review-oxlint": [".oxlintrc.json", ".oxlintrc.jsonc", "oxlint.config.ts"],
  "review-biome": ["biome.json", "biome.jsonc", ".biome.json", ".biome.jsonc"],
  "review-eslint": ["js", "mjs", "cjs", "ts", "mts", "cts"].map((extension) => `eslint.config.${extension}`),
};
const ALL: ReadonlySet<string> = new Set(LINTERS.flatMap((linter) => CONFIGS[linter]));

/** Returns the names of a linter's configuration files. */
export function configsOf(linter: Linter): readonly string[] {
  return CONFIGS[linter];
}

/** True for the name of a file that configures a linter. */
export function isLinterConfig(name: string): boolean {
  return ALL.has(name);
}
