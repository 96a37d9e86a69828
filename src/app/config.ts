// Reads the settings of Murmur from four sources. Owns precedence (flags > environment > file > defaults) and the texts of errors.
// Leaves the schema to settings.ts.
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { nearest } from "../base/index.ts";
import { SwarmError, showValue } from "../protocol/index.ts";
import {
  type Config,
  configSchema,
  environmentName,
  SETTING_NAMES,
  type SettingName,
  settingFacts,
} from "./settings.ts";
import { flagName } from "./words.ts";

/** The configuration file of the working directory. It is read when `--config` names no other. */
export const CONFIG_FILE = "murmur.yaml";

/** The source of each value: `flag --prefix`, `environment MURMUR_PREFIX`, `file murmur.yaml`, or `default`. */
export type Sources = Readonly<Record<SettingName, string>>;

/** The kinds of sources, the weakest first. */
const SOURCE_KINDS = ["default", "file", "environment", "flag"] as const;

/** The strength of a source: a higher one wins. */
export function rankOfSource(source: string): number {
  return SOURCE_KINDS.findIndex((kind) => source.startsWith(kind));
}

/** The variables with our prefix that are no settings, and the code that reads each. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  MURMUR_ANALYSERS_DIR: "agents/lib/review/toolbox.ts",
  MURMUR_CHROMIUM: "test/console/browser/browser.ts",
  MURMUR_DETACHED_SUPERVISOR: "src/app/main.ts",
  MURMUR_ECHO_DIR: "agents/echo/agent.ts",
  MURMUR_ECHO_SLOTS: "agents/echo/agent.ts",
  MURMUR_FILES_DIR: "agents/files/agent.ts",
  MURMUR_NATS_IMAGE: "test/transport/testcontainers.test.ts",
  MURMUR_SUPERVISED: "src/app/supervisor/supervisor-link.ts",
  MURMUR_TEST_CONSOLE: "test/console/browser/browser.ts",
  MURMUR_TEST_PERMISSIONS: "test/app/support.ts",
  MURMUR_TEST_SCALE: "test/support/scale.ts",
};

/** Describes each variable `MURMUR_…` that nothing reads: probably a misspelt setting, which would have no effect in silence. */
export function findUnknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...SETTING_NAMES.map(environmentName), ...Object.keys(OTHER_VARIABLES)];
  return Object.keys(environment)
    .filter((name) => name.startsWith("MURMUR_") && environment[name] !== undefined && !known.includes(name))
    .sort()
    .map((name) => {
      const meant = nearest(name, known);
      return `${name} is not a setting and has no effect${meant === undefined ? "" : `; did you mean ${meant}?`} (docs/configuration.md lists all)`;
    });
}

/**
 * Reads the settings from all sources.
 * @param input.flags the flags of the command line; an undefined value counts as not given.
 * @throws SwarmError `invalid_input` naming source and field: an unknown field, a wrong value, an unreadable file.
 */
export async function loadConfig(input: {
  flags: Readonly<Partial<Record<SettingName, unknown>>>;
  environment: Readonly<Record<string, string | undefined>>;
  directory: string;
  /** The file named by `--config`; without it `murmur.yaml` in `directory`, when it is there. Null: no file is read. */
  file?: string | null | undefined;
}): Promise<{ config: Config; sources: Sources }> {
  const fromFile = await readConfigFile(input.directory, input.file);
  const values: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  const find = (name: SettingName) =>
    fromFlag(name, input.flags) ?? fromEnvironment(name, input.environment) ?? fromFile.get(name);
  const found = new Map(SETTING_NAMES.map((name) => [name, find(name)]));
  for (const [name, fileName] of SECRET_FILES) {
    const isFile = isFileStronger({ name, fileName }, found);
    if (isFile) {
      const { value, source } = found.get(fileName)!;
      found.set(name, { value: readSecretFile(String(value), fileName), source });
    } else found.delete(fileName);
  }
  for (const name of SETTING_NAMES) {
    sources[name] = found.get(name)?.source ?? "default";
    values[name] = parseSetting(name, found.get(name));
  }
  return { config: values as Config, sources: sources as Sources };
}

/** A value that was given, and its source. */
export interface Found {
  value: unknown;
  source: string;
}

function fromFlag(
  name: SettingName,
  flags: Readonly<Partial<Record<SettingName, unknown>>>,
): Found | undefined {
  const value = flags[name];
  return value === undefined ? undefined : { value, source: `flag ${flagName(name)}` };
}

function fromEnvironment(
  name: SettingName,
  environment: Readonly<Record<string, string | undefined>>,
): Found | undefined {
  for (const variable of [environmentName(name), ...(settingFacts(name).env ?? [])]) {
    const value = environment[variable];
    // A shell or a manifest switches a variable off by making it empty.
    if (value !== undefined && value !== "") return { value, source: `environment ${variable}` };
  }
  return undefined;
}

/** The secrets whose value may stand in a file, each with the setting that names the file. */
const SECRET_FILES = [
  ["server", "serverFile"],
  ["apiToken", "apiTokenFile"],
] as const satisfies readonly (readonly [SettingName, SettingName])[];

/** True when a secret comes from its file. @throws SwarmError `invalid_input` when sources of one strength give both. */
function isFileStronger(
  { name, fileName }: { name: SettingName; fileName: SettingName },
  found: ReadonlyMap<SettingName, Found | undefined>,
): boolean {
  const [direct, file] = [found.get(name), found.get(fileName)];
  if (direct === undefined || file === undefined) return file !== undefined;
  const isEqual = rankOfSource(direct.source) === rankOfSource(file.source);
  if (!isEqual) return rankOfSource(file.source) > rankOfSource(direct.source);
  throw new SwarmError(
    "invalid_input",
    `${name} (${direct.source}) and ${fileName} (${file.source}) are both given: leave one of them out`,
    { field: fileName },
  );
}

/** The text of a file without the blanks around it. @throws SwarmError `invalid_input` for a file that is missing, unreadable or empty. */
export function readSecretFile(path: string, field: SettingName): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new SwarmError("invalid_input", `${field}: the file ${path} cannot be read (${why})`, {
      field,
      cause,
    });
  }
  if (text !== "") return text;
  throw new SwarmError("invalid_input", `${field}: the file ${path} is empty`, { field });
}

async function readConfigFile(
  directory: string,
  named: string | null | undefined,
): Promise<Map<string, Found>> {
  if (named === null) return new Map();
  const path = resolve(directory, named ?? CONFIG_FILE);
  const source = `file ${named ?? CONFIG_FILE}`;
  if (!existsSync(path)) {
    if (named === undefined) return new Map();
    throw new SwarmError("invalid_input", `--config: there is no file ${path}`, { field: "config" });
  }
  // The parser takes 50 ms to load, so it is loaded only when there is a file.
  const { parse } = await import("yaml");
  let content: unknown;
  try {
    content = parse(await readFile(path, "utf8")) ?? {};
  } catch (error) {
    throw new SwarmError("invalid_input", `${source}: must be YAML: ${(error as Error).message}`, {
      field: "config",
    });
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new SwarmError("invalid_input", `${source}: must be a map of settings, got ${showValue(content)}`, {
      field: "config",
    });
  }
  const found = new Map<string, Found>();
  for (const [key, value] of Object.entries(content as object)) {
    if (!SETTING_NAMES.includes(key as SettingName)) {
      const meant = nearest(key, SETTING_NAMES);
      throw new SwarmError(
        "invalid_input",
        `${source}: ${key} is not a setting${meant === undefined ? "" : `; did you mean ${meant}?`} (docs/configuration.md lists all)`,
        { field: key },
      );
    }
    if (value !== null) found.set(key, { value, source });
  }
  return found;
}

/** Checks the value of one setting. @throws SwarmError `invalid_input` that names the source, and no secret. */
export function parseSetting<N extends SettingName>(name: N, found: Found | undefined): Config[N] {
  const parsed = configSchema.shape[name].safeParse(found?.value);
  if (parsed.success) return parsed.data as Config[N];
  const got = settingFacts(name).secret === true ? "" : `, got ${showValue(found?.value)}`;
  throw new SwarmError(
    "invalid_input",
    `${found?.source ?? "default"}: ${name}: ${parsed.error.issues[0]?.message ?? "does not fit"}${got}`,
    { field: name },
  );
}
