// The purpose of a file in its project, by its path: production, or one of the kinds of code that support a project. Pure.
import { isTest } from "./files.ts";

/**
 * The purposes. Findings of one kind mean different things in different purposes: a shell command in a build script has no attacker,
 * and a key in an example is no secret.
 */
export const FILE_PURPOSES = ["production", "build", "test", "benchmark", "example", "vendored"] as const;
export type FilePurpose = (typeof FILE_PURPOSES)[number];

/** Programs that build, check and show a project. Their configurations are code, and run on the machines of developers. */
const TOOLS = [
  "webpack|rollup|rolldown|vite|vitest|jest|babel|esbuild|swc|karma|tsup|metro|postcss|tailwind|eslint|prettier|stylelint|commitlint",
  "lint-?staged|cypress|playwright|wdio|protractor|nightwatch|stencil|craco|snowpack|typedoc|windi|uno|svelte|vue|ava|mocha|nyc",
].join("|");

/** The folders and names of supporting code. The first match counts. */
const SUPPORT: readonly { purpose: FilePurpose; path: RegExp }[] = [
  {
    purpose: "benchmark",
    path: /(?:^|\/)(?:bench(?:marks?|ing)?|perf[\w-]*)\/|(?:^|[./_-])bench(?:marks?)?\.[cm]?[jt]sx?$/,
  },
  {
    purpose: "example",
    path: /(?:^|\/)(?:examples?|samples?|docs?|documentation|websites?|demos?|playgrounds?|stories|\.storybook)\/|\.stories\.[cm]?[jt]sx?$/,
  },
  // A file to copy: `.env.example`, `config.sample.json`, `phpunit.xml.dist`.
  { purpose: "example", path: /[._-](?:examples?|samples?|dist)(?:\.\w+)?$/ },
  { purpose: "build", path: /(?:^|\/)(?:scripts?|tools?|tooling|build|gulp|grunt|\.github)\// },
  {
    purpose: "build",
    path: /(?:^|\/)(?:gulpfile|gruntfile|jakefile|cakefile|brocfile|makefile)[\w.-]*\.[cm]?[jt]s$/i,
  },
  {
    purpose: "build",
    path: new RegExp(`(?:^|/)\\.?(?:${TOOLS})(?:rc|(?:[.-][\\w-]+){0,3}[.-](?:config|conf))\\.[cm]?[jt]s$`),
  },
];

/** The answers of {@link purposeOf} that are remembered: it is asked several times for each finding, and files have many findings. */
const KNOWN = new Map<string, FilePurpose>();
/** The most remembered answers: one for each file of the largest review. */
const MAX_KNOWN = 20_000;

/** Returns the purpose of a file. */
export function purposeOf(file: string): FilePurpose {
  const known = KNOWN.get(file);
  if (known !== undefined) return known;
  if (KNOWN.size >= MAX_KNOWN) KNOWN.clear();
  const purpose = findPurpose(file);
  KNOWN.set(file, purpose);
  return purpose;
}

function findPurpose(file: string): FilePurpose {
  if (isVendored(file)) return "vendored";
  if (isTest(file)) return "test";
  return SUPPORT.find(({ path }) => path.test(file))?.purpose ?? "production";
}

/** True for code that supports a project: examples, benchmarks, and the programs that build it. Users do not run it. */
export function isAside(file: string): boolean {
  return SUPPORT.some(({ path }) => path.test(file));
}

/** True for the usual folders of copied libraries. */
function isVendored(file: string): boolean {
  return /(?:^|\/)(?:vendors?|vendored|third[_-]party|bower_components|plugins?\/[\w.-]*jquery[\w.-]*|libs?\/(?:jquery|bootstrap)[\w.-]*)(?:\/|$)/.test(
    file,
  );
}
