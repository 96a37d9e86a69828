// Names that lead to files of the repository: `paths` and `baseUrl` of tsconfig.json, aliases of bundlers and test runners, and
// the aliases that frameworks define. Read as data; a base that is not installed costs only what it would have added. Pure.
import { posix } from "node:path";
import { child, children, isNode, keyOf, type SyntaxNode, textOf } from "../syntax.ts";
import { allTextsOf, type Data, eachProperty, fieldsOf, parseJsonc, textsOf } from "./data.ts";

/** One alias: imports of `prefix` (or below it) lead to `targets`. */
export interface Alias {
  prefix: string;
  /** The text after the `*` of a pattern; "" without one. */
  suffix: string;
  /** True when only `prefix` itself is meant, and not the names below it. */
  isExact: boolean;
  /** Paths relative to the reviewed directory, with one `*` for the rest of the specifier. Empty when they are not literal. */
  targets: readonly string[];
  /** The folder whose files have the alias. */
  scope: string;
}

/** The part of a tsconfig.json or jsconfig.json that a resolver needs. */
export interface TsConfig {
  file: string;
  extends: readonly string[];
  baseUrl: string | undefined;
  paths: Readonly<Record<string, readonly string[]>> | undefined;
  rootDirs: readonly string[];
  /** The files that it names one by one. */
  files: readonly string[];
}

export function isTsConfig(file: string): boolean {
  return /(?:^|\/)[jt]sconfig(?:[.-][\w.-]+)?\.json$/.test(file);
}

/** Reads a tsconfig; null when it is no JSON object. */
export function readTsConfig(file: string, text: string): TsConfig | null {
  const data = parseJsonc(text);
  if (typeof data !== "object" || data === null || Array.isArray(data)) return null;
  const options = fieldsOf(data.compilerOptions);
  const { paths } = options;
  return {
    file,
    extends: textsOf(data.extends),
    baseUrl: typeof options.baseUrl === "string" ? options.baseUrl : undefined,
    paths:
      paths === undefined || paths === null
        ? undefined
        : Object.fromEntries(
            Object.entries(fieldsOf(paths)).map(([key, targets]) => [key, textsOf(targets)]),
          ),
    rootDirs: textsOf(options.rootDirs),
    files: textsOf(data.files),
  };
}

/** The most configurations that a chain of `extends` is followed over. TypeScript rejects circles; a long chain is one. */
const MAX_EXTENDS = 16;

/** The aliases of all configurations. A configuration in a folder holds for the files below that folder. */
export function tsAliases(
  configs: ReadonlyMap<string, TsConfig>,
  packageFile: (name: string, subpath: string) => string | null,
): Alias[] {
  return [...configs.values()].flatMap((config) => {
    const scope = posix.dirname(config.file);
    const chain = chainOf(config, configs, packageFile);
    const withPaths = chain.find(({ paths }) => paths !== undefined);
    const withBase = chain.find(({ baseUrl }) => baseUrl !== undefined);
    const base =
      withBase?.baseUrl === undefined
        ? undefined
        : posix.join(posix.dirname(withBase.file), withBase.baseUrl);
    const pathsBase = base ?? posix.dirname(withPaths?.file ?? config.file);
    const aliases = Object.entries(withPaths?.paths ?? {}).flatMap(([pattern, targets]) =>
      // `"*": ["types/*"]` is a base of its own; it may not shadow the packages.
      toAlias(
        pattern,
        targets.map((target) => posix.join(pathsBase, target)),
        scope,
      ),
    );
    return base === undefined ? aliases : [...aliases, ...toAlias("*", [posix.join(base, "*")], scope)];
  });
}

function chainOf(
  config: TsConfig,
  configs: ReadonlyMap<string, TsConfig>,
  packageFile: (name: string, subpath: string) => string | null,
): TsConfig[] {
  const chain = [config];
  for (const one of chain) {
    if (chain.length > MAX_EXTENDS) break;
    // The last base wins over the bases before it.
    for (const named of one.extends.toReversed()) {
      const found = baseFile(named, one, configs, packageFile);
      if (found !== undefined && !chain.includes(found)) chain.push(found);
    }
  }
  return chain;
}

function baseFile(
  named: string,
  from: TsConfig,
  configs: ReadonlyMap<string, TsConfig>,
  packageFile: (name: string, subpath: string) => string | null,
): TsConfig | undefined {
  if (/^\.{1,2}(?:\/|$)/.test(named)) {
    const at = posix.join(posix.dirname(from.file), named);
    return configs.get(at) ?? configs.get(`${at}.json`) ?? configs.get(posix.join(at, "tsconfig.json"));
  }
  const [, name = named, subpath = ""] = /^((?:@[^/]+\/)?[^/]+)(?:\/(.*))?$/.exec(named) ?? [];
  const file = packageFile(name, subpath === "" ? "tsconfig.json" : subpath);
  return file === null ? undefined : configs.get(file);
}

function toAlias(pattern: string, targets: readonly string[], scope: string): Alias[] {
  const star = pattern.indexOf("*");
  if (star === -1) return [{ prefix: pattern, suffix: "", isExact: true, targets, scope }];
  const [prefix, suffix] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return [{ prefix, suffix, isExact: false, targets, scope }];
}

/** The options with aliases: Vite, webpack, Rollup, esbuild, Parcel and module-alias; Jest and Vitest; SvelteKit; Babel. */
const ALIAS_OPTION = /^(?:alias|aliases|moduleNameMapper|_moduleAliases)$/;

/** Configurations in JavaScript that may have aliases. */
export function mayHaveAliases(file: string, text: string): boolean {
  return (
    /(?:config|conf|rc|webpack|rollup|vite|vitest|jest|karma|craco|overrides|settings|main|preset)/i.test(
      file.slice(file.lastIndexOf("/") + 1),
    ) && /\balias(?:es)?\b|moduleNameMapper/.test(text)
  );
}

/** Reads the aliases of a configuration in JavaScript, where keys and paths are literal. */
export function codeAliases(file: string, program: SyntaxNode, packageFolder: string): Alias[] {
  const folder = posix.dirname(file);
  const aliases: Alias[] = [];
  const add = (key: string, value: SyntaxNode | null) =>
    aliases.push(
      ...namedAlias(key, value === null ? [] : pathsIn(value, folder, packageFolder), packageFolder),
    );
  eachProperty(program, ALIAS_OPTION, (value) => {
    for (const property of children(value, "properties")) {
      if (keyOf(property) !== "") add(keyOf(property), child(property, "value"));
    }
    // `[{ find: "@", replacement: … }]`
    for (const element of children(value, "elements")) {
      const fields = new Map(children(element, "properties").map((one) => [keyOf(one), child(one, "value")]));
      const find = fields.get("find") ?? null;
      const source = (find?.regex as { pattern?: unknown } | undefined)?.pattern;
      const key = textOf(find) ?? (typeof source === "string" ? source : null);
      if (key !== null) add(key, fields.get("replacement") ?? null);
    }
  });
  return aliases;
}

/** Reads the aliases of a configuration in JSON: package.json (`jest`, `_moduleAliases`, `alias`), .babelrc, .swcrc. */
export function dataAliases(data: Data, folder: string): Alias[] {
  if (Array.isArray(data)) return data.flatMap((item) => dataAliases(item, folder));
  return Object.entries(fieldsOf(data)).flatMap(([key, value]) => {
    if (!ALIAS_OPTION.test(key)) return dataAliases(value, folder);
    return Object.entries(fieldsOf(value)).flatMap(([name, target]) =>
      namedAlias(
        name,
        allTextsOf(target).map((text) => posix.join(folder, clean(text))),
        folder,
      ),
    );
  });
}

/** Makes an alias of a key as bundlers write it: `@`, `@/`, `@/*`, `vue$`, and Jest's `^@/(.*)$`. */
function namedAlias(key: string, targets: readonly string[], scope: string): Alias[] {
  const isExact = /[^)]\$$/.test(key) && !key.includes("(");
  const prefix = key
    .replace(/^\^/, "")
    .replace(/\$$/, "")
    .replace(/\/?(?:\(\.[*+]\??\)|\*)$/, "")
    .replace(/\/$/, "")
    .replace(/\\(.)/g, "$1");
  // Other patterns need their engine.
  if (prefix === "" || /[()[\]{}|+*?]/.test(prefix)) return [];
  const whole = { prefix, suffix: "", isExact: true, targets, scope };
  if (isExact) return [whole];
  const below = targets.map((target) => `${target.replace(/\/$/, "")}/*`);
  return [whole, { prefix: `${prefix}/`, suffix: "", isExact: false, targets: below, scope }];
}

/** The path of `"./src"`, `path.resolve(__dirname, "src")`, `fileURLToPath(new URL("./src", import.meta.url))`. */
function pathsIn(value: SyntaxNode, folder: string, packageFolder: string): string[] {
  const own = textOf(value);
  // Vite and webpack take a path from the root of the project for `/src`; another plain name is another package.
  if (own !== null) {
    const base = /^(?:\/|<rootDir>)/.test(own) ? packageFolder : folder;
    return /^[./<]/.test(own)
      ? [posix.join(base, clean(own))]
      : /\//.test(own)
        ? [posix.join(base, own)]
        : [];
  }
  const parts: string[] = [];
  const open: SyntaxNode[] = [value];
  for (let node = open.shift(); node !== undefined; node = open.shift()) {
    const text = textOf(node);
    if (text !== null) parts.push(text);
    for (const field of ["arguments", "elements", "left", "right", "expressions", "callee", "object"]) {
      const inner = node[field];
      if (Array.isArray(inner)) open.push(...inner.filter(isNode));
      else if (isNode(inner) && field !== "callee" && field !== "object") open.push(inner);
    }
  }
  return parts.length === 0 ? [] : [posix.join(folder, ...parts.map(clean))];
}

/** `<rootDir>/src/$1` → `src`. */
function clean(path: string): string {
  return path
    .replace(/^<rootDir>\/?/, "")
    .replace(/\/?\$1$/, "")
    .replace(/^\/+/, "");
}

/**
 * The paths that an alias gives to a specifier: null when the alias does not match, no paths when its target is not literal.
 */
export function applyAlias(alias: Alias, specifier: string): string[] | null {
  const { prefix, suffix, isExact, targets } = alias;
  if (isExact) return specifier === prefix ? [...targets] : null;
  if (!specifier.startsWith(prefix) || !specifier.endsWith(suffix)) return null;
  if (specifier.length < prefix.length + suffix.length) return null;
  const rest = specifier.slice(prefix.length, specifier.length - suffix.length);
  return targets.map((target) => posix.normalize(target.replace("*", () => rest)));
}
