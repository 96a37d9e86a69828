// The `safety` of a report: the code of the repository that a review ran, the configurations that it read and ignored, and the
// protection of its analysers. Owns the words for it.
import { basename } from "node:path";
import { configsOf, type Linter, readInside } from "../../../agents/lib/review/index.ts";
import { parseJsonc } from "../left-out/index.ts";
import type { Measure, Protection } from "./sandbox.ts";

/** The safety of a review. */
export interface Safety {
  /** True with --trust-repo-config. */
  trusted: boolean;
  /** Configurations of the repository whose code linters ran: programs, and files that name plugins. Empty without trust. */
  executed: string[];
  /** Configurations of the repository that linters read as data. Empty without trust. */
  read: string[];
  /** Configurations of the repository that --trust-repo-config would have loaded. */
  ignored: string[];
  sandbox: {
    readOnly: Measure;
    noNetwork: Measure;
    /** The analysers' programs get only a few variables, none of them a secret. */
    environment: "scrubbed";
    /** The analysers that parse inside of their own process, and start no program; missing in reports of earlier versions. */
    analysers?: AnalyserRights | undefined;
  };
}

/** Whether the analysers without a program may only read: by Node's permission model, or not, with the reason. */
export type AnalyserRights = { had: true; by: "node-permission" } | { had: false; why: string };

/** The rights of analysers whose processes the review has not started. */
export const RIGHTS_OF_OTHERS: AnalyserRights = {
  had: false,
  why: "they have the rights of the swarm, or of the program, that runs them",
};

/** The most bytes of a configuration that is searched for plugins. */
const MAX_CONFIG_BYTES = 256 * 1024;

/** Describes the safety of a review whose linters found the files `configs` of the repository. */
export async function safetyOf(options: {
  directory: string;
  trusted: boolean;
  linters: readonly Linter[];
  configs: readonly string[];
  protection: Protection;
  /** Default {@link RIGHTS_OF_OTHERS}. */
  analysers?: AnalyserRights | undefined;
}): Promise<Safety> {
  const { directory, trusted, linters, protection, analysers = RIGHTS_OF_OTHERS } = options;
  const names = new Set(linters.flatMap(configsOf));
  const configs = options.configs.filter((path) => names.has(basename(path)));
  const { readOnly, noNetwork } = protection;
  const sandbox = { readOnly, noNetwork, environment: "scrubbed" as const, analysers };
  if (!trusted) return { trusted, executed: [], read: [], ignored: configs, sandbox };
  const executed: string[] = [];
  const read: string[] = [];
  for (const path of configs) ((await runsCode(directory, path)) ? executed : read).push(path);
  return { trusted, executed, read, ignored: [], sandbox };
}

/** True for a configuration that is a program, names plugins, or cannot be read as data. */
async function runsCode(directory: string, path: string): Promise<boolean> {
  if (!/\.jsonc?$/.test(path)) return true;
  const text = await readInside(directory, path, MAX_CONFIG_BYTES);
  const config = text === null ? null : parseJsonc(text);
  if (typeof config !== "object" || config === null) return true;
  // `extends` leads to other files, which may name plugins.
  return (
    "jsPlugins" in config ||
    "extends" in config ||
    (isBiome(path) && "plugins" in config) ||
    hasPlugins(config)
  );
}

const isBiome = (path: string) => basename(path).replace(/^\./, "").startsWith("biome.");

/** True when an override of oxlint or Biome names plugins. */
function hasPlugins(config: object): boolean {
  const { overrides } = config as { overrides?: unknown };
  return (
    Array.isArray(overrides) && overrides.some((each: unknown) => JSON.stringify(each)?.includes('lugins":'))
  );
}

/** The most files that the text names; --json has all. */
const MAX_NAMED = 3;

/** Tells the safety of a review in one line for people. */
export function renderSafety({ trusted, executed, read, ignored, sandbox }: Safety): string {
  const { analysers } = sandbox;
  const parts = [renderSandbox(sandbox)];
  if (analysers !== undefined)
    parts.push(
      analysers.had
        ? "the other analysers may only read (Node's permission model)"
        : `the other analysers may also write: ${analysers.why}`,
    );
  if (executed.length > 0) parts.push(`code of the repository ran: ${named(executed)}`);
  if (read.length > 0) parts.push(`its configuration was used: ${named(read)}`);
  if (trusted && executed.length + read.length === 0)
    parts.push("the repository has no linter's configuration");
  if (ignored.length > 0) parts.push(`not loaded: ${named(ignored)}`);
  return parts.join("; ");
}

function renderSandbox({ readOnly, noNetwork }: Safety["sandbox"]): string {
  if (readOnly.had && noNetwork.had)
    return `linters ran without network and could not write (${readOnly.by})`;
  if (noNetwork.had && !readOnly.had)
    return `linters ran without network (${noNetwork.by}), and could write: ${readOnly.why}`;
  if (readOnly.had && !noNetwork.had)
    return `linters could not write (${readOnly.by}), and had network: ${noNetwork.why}`;
  return `linters ran without a sandbox: ${readOnly.had ? "" : readOnly.why}`;
}

function named(files: readonly string[]): string {
  const more = files.length - MAX_NAMED;
  return [...files.slice(0, MAX_NAMED), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
