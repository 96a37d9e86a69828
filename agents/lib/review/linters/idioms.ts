// Knows code that a linter's rule misreads: the language, the page or the purpose of the file gives the code another meaning. Pure.
// Leaves differences between the linters' options to equal.ts, and uses outside of the linters' view to unused.ts.
import { isTypeTest } from "../files.ts";
import { purposeOf } from "../purpose.ts";

/** A report of a linter, with its file and the line that it names. */
export interface IdiomReport {
  kind: string;
  file: string;
  /** The text of the file. */
  text: string;
  /** The line's text. */
  source: string;
  /** The lines of the text, and the line of the report, from 1. */
  lines: readonly string[];
  line: number;
}

/** A meaning that the rule of a kind does not know. */
interface Idiom {
  kind: string;
  isMeant: (report: IdiomReport) => boolean;
}

/** The runes of Svelte 5. In a component with runes an assignment of a value to itself changes nothing. */
const RUNE = /(?<![\w$.])\$(?:state|derived|props|effect|bindable|inspect|host)(?:\.\w{1,20})?\s{0,5}[(<]/;
/** Properties of the page that do something whenever they are assigned: they load, reload, or start again. */
const ACTS_ON_ASSIGNMENT =
  /(?<![\w$])location(?:\.\w{1,20})?\s*=[^=]|(?<!\bthis)\.(?:src|srcdoc|href|innerHTML|outerHTML)\s*=[^=]/;
/** A statement at the top of a file that keeps the result of a call. */
const KEEPS_A_RESULT =
  /^(?:const|let|var)\s[^=]{1,200}=\s{0,5}(?:await\s{1,5})?(?:new\s{1,5})?[\w$.]{1,100}(?:<[^()]{0,200}>)?\(/;

/** Folders with tests of the types of a package, when no test in the file runs. */
const TESTS_OF_TYPES =
  /(?:^|\/)(?:types?\/(?:__)?tests?(?:__)?|(?:__)?tests?(?:__)?\/(?:types?|typings?))\/(?:.*\/)?[^/]+\.[cm]?tsx?$/;
/** A test that runs. */
const RUNS_TESTS = /(?<![\w$.])(?:describe|it)(?:\.\w{1,20})?\s{0,5}\(/;

/** The name of a whole module: `import a from 'x'`, `import * as a from 'x'`, `const a = require('x')`. */
const WHOLE_MODULE =
  /^\s*(?:import\s{1,5}(?:\*\s{0,5}as\s{1,5})?[\w$]{1,100}\s{1,5}from\s{0,5}|(?:const|let|var)\s{1,5}[\w$]{1,100}\s{0,5}=\s{0,5}require\(\s{0,5})["']([^"']{1,200})["']/;
/** Style sheets: the import puts them into the page. */
const STYLE = /\.(?:css|s[ac]ss|less|styl|pcss)(?:\?.*)?$/;
/**
 * Packages that do their work when they are imported, by their own documentation: they extend the built-in objects, another library, or
 * the page.
 */
const ACTS_ON_IMPORT: readonly RegExp[] = [
  /polyfill/,
  /\/(?:register|auto|init|patch)(?:\.[cm]?js)?$/,
  /\/(?:locales?|langs?)\//,
  /^(?:@colors\/)?colors(?:\.ts)?$/,
  /^(?:reflect-metadata|zone\.js|core-js|regenerator-runtime|whatwg-fetch|isomorphic-fetch|hammerjs)(?:\/|$)/,
  /^(?:source-map-support|express-async-errors|module-alias|dotenv(?:-\w+)?\/config|rxjs\/add\/.+)$/,
  /^(?:bootstrap|popper\.js|@popperjs\/core|jquery-ui|materialize-css|semantic-ui\S*|uikit|metismenu)(?:\/|$)/,
  /^(?:should|jest-extended|@testing-library\/jest-dom|chai-as-promised\/register)(?:\/|$)/,
  /^(?:prismjs\/components|codemirror\/(?:mode|addon)|ace-builds\/src[\w-]*|highcharts\/modules|echarts\/lib)\//,
  /^(?:@nomiclabs|@nomicfoundation|@openzeppelin)\/hardhat-/,
];

/** The most lines of an assignment that is read: a wrapped error has a message and a cause. */
const MAX_ASSIGNMENT_LINES = 8;

/**
 * True when the line assigns a name a value that is made of the same name: `error = new TypeError(message, { cause: error })`,
 * `error = error || window.event`. The old value is not lost.
 */
function keepsOldValue({ source, lines, line }: IdiomReport): boolean {
  const assigned = /(?<![\w$.])([\w$]{1,100})\s{0,20}(?:\|\|=|&&=|\?\?=|=(?![=>]))(.*)$/.exec(source);
  if (assigned === null) return false;
  const [, name = "", rest = ""] = assigned;
  const value = [rest, ...lines.slice(line, line + MAX_ASSIGNMENT_LINES)].join("\n").split(/;|\n\s*\n/, 1)[0];
  return new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}(?![\\w$]|\\s*:)`).test(value ?? "");
}

/**
 * The idioms, each met in public repositories (docs/review.md):
 * - In Svelte without runes, `list = list` tells the compiler that the list has changed (https://svelte.dev/docs/svelte/legacy-let).
 * - `location.href = location.href` loads the page again, and `image.src = image.src` starts an animation again.
 * - An example keeps a result in a name to show its value, often in a comment below.
 * - A test of types declares names for the compiler alone.
 * - An import that runs a module needs no name; its name is a habit, and without the import the program breaks.
 * - A caught error that is wrapped, or made uniform, keeps its name: `e = new TypeError(e.message)`.
 */
const IDIOMS: readonly Idiom[] = [
  { kind: "caught-error-assignment", isMeant: keepsOldValue },
  {
    kind: "self-assignment",
    isMeant: ({ file, text }) => file.endsWith(".svelte") && !RUNE.test(text),
  },
  { kind: "self-assignment", isMeant: ({ source }) => ACTS_ON_ASSIGNMENT.test(source) },
  {
    kind: "unused-variable",
    isMeant: ({ file, source }) => purposeOf(file) === "example" && KEEPS_A_RESULT.test(source),
  },
  {
    kind: "unused-variable",
    isMeant: ({ file, text }) => isTypeTest(file) || (TESTS_OF_TYPES.test(file) && !RUNS_TESTS.test(text)),
  },
  {
    kind: "unused-variable",
    isMeant: ({ source }) => {
      const module = WHOLE_MODULE.exec(source)?.[1];
      return module !== undefined && (STYLE.test(module) || ACTS_ON_IMPORT.some((each) => each.test(module)));
    },
  },
];

/** True for a report about code that means something else than the linter's rule assumes. */
export function isIdiom(report: IdiomReport): boolean {
  return IDIOMS.some(({ kind, isMeant }) => kind === report.kind && isMeant(report));
}
