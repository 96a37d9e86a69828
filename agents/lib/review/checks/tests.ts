// Checks the tests of a repository: focused and skipped tests, tests without a check, and sources that no test loads.
import type { Analysis, RawFinding, ReviewInput } from "../contract.ts";
import { anchorOf, isDeclaration, isTest, isTypeTest, oneLine, onePerFile } from "../files.ts";
import { type ImportGraph, reachable, readProject } from "../graph/graph.ts";
import { honouring } from "../linters/honour.ts";
import { isAside } from "../purpose.ts";
import { isComponent } from "../scripts.ts";
import {
  child,
  children,
  eachSource,
  findingAt,
  isFunction,
  nameOf,
  type Source,
  type SyntaxNode,
  textOf,
  walk,
} from "../syntax.ts";

/** The smallest module that needs a test, in lines; smaller modules are constants, types and doors. */
export const MIN_UNTESTED_LINES = 25;
/** With a smaller share of reached modules, the tests probably start the program in a way that imports do not show. */
const MIN_REACHED_SHARE = 0.3;

/** Configuration, hidden folders, the start of a program, and data for a database: they are tested by running them. */
const NEVER_TESTED = /\.config\.|(?:^|\/)\.|(?:^|\/)(?:main|seed)\.|(?:^|\/)(?:migrations|seeds)\//;

/** Checks the tests of the repository. */
export const tests: Analysis = honouring(async (input, tools) => {
  const findings: RawFinding[] = [];
  const unjudgedTests = await eachSource(
    input,
    { signal: tools.signal, progress: (percent, note) => tools.progress(percent / 2, note) },
    (source) => {
      findings.push(...misusedTests(source));
    },
    (file) => isTest(file) && !isDeclaration(file),
  );
  const { graph, unjudged } = await readProject(input, {
    signal: tools.signal,
    progress: (percent, note) => tools.progress(50 + percent / 2, note),
  });
  findings.push(...untested(input, graph));
  return { findings, unsure: [], unjudged: onePerFile([...unjudgedTests, ...unjudged]) };
});

/** Members of a test function that declare no test, and modifiers that make the runner check the body: `it.fails(…)`. */
const NO_TEST = new Set(["extend", "override", "scoped", "use", "step", "info", "slow"]);
const CHECKED_BY_RUNNER = new Set(["todo", "fails", "failing", "fail", "fixme"]);
/** The title says that the code must only run to its end: "does not throw", "no type errors", "runs successfully". */
const MUST_NOT_THROW =
  /\b(?:not|never|without|no|cannot|can't|\w+n['’]t)\b.*\b(?:throw|crash|fail|error|reject|break|panic|hang|warn|complain|explode)|\b(?:successfully|compiles?|type-?checks?)\b/i;

const ROOT = /^(?:describe|suite|context|it|test|specify)$/;

/** Reads the declaration of a test or a group: `it`, `test.only`, `describe.skip.each(…)`, `xit`; null for other calls. */
function declaration(call: SyntaxNode): { name: string; words: string[] } | null {
  let callee = child(call, "callee");
  // `test.each(table)("title", run)` and test.each`table`("title", run).
  if (callee?.type === "CallExpression") callee = child(callee, "callee");
  if (callee?.type === "TaggedTemplateExpression") callee = child(callee, "tag");
  const [name = "", ...words] = nameOf(callee).split(".");
  if (/^[fx](?:describe|it|test|context|suite)$/.test(name)) {
    return { name: name.slice(1), words: [name.startsWith("f") ? "only" : "skip", ...words] };
  }
  if (!ROOT.test(name) || words.some((word) => NO_TEST.has(word) || /^(?:before|after)/.test(word)))
    return null;
  // Playwright has its groups at the test function: `test.describe.only("title", …)`.
  const [first, ...others] = words;
  return first === "describe" ? { name: first, words: others } : { name, words };
}

function misusedTests(source: Source): RawFinding[] {
  if (!/\b[fx]?(?:describe|suite|context|it|test|specify)\b/.test(source.text)) return [];
  const findings: RawFinding[] = [];
  const helpers = new Helpers(source);
  walk(source.program, (node, above) => {
    if (node.type !== "CallExpression") return undefined;
    const declared = declaration(node);
    const [title, ...rest] = children(node, "arguments");
    // A name instead of the body is a macro: `test("title", check, () => input)`.
    const body = rest[0]?.type === "Identifier" ? undefined : rest.findLast(isFunction);
    // `test.skip(condition, reason)` inside a test is a decision at run time.
    const isTitled = textOf(title) !== null || title?.type === "TemplateLiteral";
    if (declared === null || !isTitled) return undefined;
    // A test of a test runner declares tests inside its checks: `expect(() => test("inner", () => {})).toThrow()`.
    if (above.some((outer) => outer.type === "CallExpression" && isCheck(outer))) return undefined;
    const { name, words } = declared;
    const unit = ["describe", "suite", "context"].includes(name) ? "group of tests" : "test";
    const called = textOf(title) ?? "this";
    if (words.includes("only")) {
      const message = `Only this ${unit} runs; the others of the file (or of all files) are skipped silently. Remove .only.`;
      findings.push(findingAt(source, node, { kind: "focused-test", rule: "only", message }));
    } else if (words.includes("skip")) {
      const message = `This ${unit} is switched off, so the code that it checks may already be broken. Fix it, or delete it.`;
      findings.push(findingAt(source, node, { kind: "skipped-test", rule: "skip", message }));
      return false;
    } else if (
      unit === "test" &&
      body !== undefined &&
      !words.some((word) => CHECKED_BY_RUNNER.has(word)) &&
      !MUST_NOT_THROW.test(called) &&
      !isTypeTest(source.file) &&
      !helpers.mayCheck(body) &&
      !helpers.isCheckedLater(body)
    ) {
      const message = `The test "${called}" checks nothing: it passes unless the code throws. Assert the expected result.`;
      findings.push(
        findingAt(source, node, { kind: "test-without-assertion", rule: "no-assertion", message }),
      );
    }
    return undefined;
  });
  return findings;
}

const CHECKS =
  /expect|assert|should|verif|check|match|equal|snapshot|throws|rejects|ensure|must|waitFor|until|fail/i;

/** True for a call of an assertion, by its name: `expect(…)`, `assert.throws(…)`. */
function isCheck(call: SyntaxNode): boolean {
  return /^(?:expect|assert|should)/i.test(nameOf(child(call, "callee")));
}

/** Queries of Testing Library and Playwright: without an element they fail the test. */
const MUST_FIND = /(?:^|\.)(?:get|find)(?:All)?By[A-Z]\w*$/;
/** Functions whose purpose is to reject wrong input: a call that drops their result checks that they accept the input. */
const REJECTS = /^(?:parse|validate|decode|verify|cast)(?:Async|Sync)?$/;
/** Calls that change their object. */
const CHANGES = /\.(?:push|unshift|add|set|append|increment|resolve|delete|splice)$/;
/** Folders and names of modules that support tests; other modules are the code under test. */
const SUPPORT =
  /(?:^|[/._-])(?:tests?|spec|helpers?|support|utils?|testing|fixtures?|common|harness|setup)(?:[/._-]|$)/i;

/** Knows the calls that may check something: assertions, and functions of other files that may contain assertions. */
class Helpers {
  readonly #source: Source;
  /** The functions of the file itself, by name. */
  readonly #own = new Map<string, SyntaxNode>();
  readonly #imported: ReadonlySet<string>;
  readonly #checkers: ReadonlySet<string>;
  /** The local names of imports from modules that support tests: helpers, and objects of helpers. */
  readonly #support: ReadonlySet<string>;
  /** The local names of imports from any module. */
  readonly #modules: ReadonlySet<string>;
  /** The names that the arguments of assertions mention, in any test or hook of the file. */
  readonly #asserted = new Set<string>();
  /** True when a hook after the tests asserts: it checks every test of the file. */
  #hookChecks = false;

  constructor(source: Source) {
    this.#source = source;
    this.#imported = new Set(
      source.module.staticImports
        .filter(({ moduleRequest }) => /^[.#~@]/.test(moduleRequest.value))
        .flatMap(({ entries }) => entries.map(({ localName }) => localName.value)),
    );
    this.#checkers = checkersOf(source);
    this.#support = namesFrom(source, (module) => /^[.#~@]/.test(module) && SUPPORT.test(module));
    this.#modules = namesFrom(source, () => true);
    walk(source.program, (node) => {
      const value = node.type === "VariableDeclarator" ? child(node, "init") : node;
      const name = nameOf(child(node, "id"));
      if (name !== "" && value !== null && isFunction(value)) this.#own.set(name, value);
      if (node.type === "CallExpression") this.#readChecks(node);
      return undefined;
    });
  }

  #readChecks(call: SyntaxNode): void {
    if (isCheck(call)) {
      for (const argument of children(call, "arguments")) {
        walk(argument, (node) => {
          if (node.type === "Identifier") this.#asserted.add(nameOf(node));
          return undefined;
        });
      }
    } else if (/(?:^|\.)after(?:Each|All)?$/.test(nameOf(child(call, "callee")))) {
      this.#hookChecks ||= /\b(?:expect|assert\w*|should|verify\w*|isDone)\b/.test(
        this.#source.text.slice(call.start, call.end),
      );
    }
  }

  /** True when a hook checks the test, or when the test changes a variable that an assertion elsewhere in the file reads. */
  isCheckedLater(body: SyntaxNode): boolean {
    let changes = this.#hookChecks;
    walk(body, (node) => {
      if (changes) return false;
      const target =
        node.type === "AssignmentExpression"
          ? child(node, "left")
          : node.type === "UpdateExpression"
            ? child(node, "argument")
            : node.type === "CallExpression" && CHANGES.test(nameOf(child(node, "callee")))
              ? child(node, "callee")
              : null;
      changes = this.#asserted.has(rootOf(target));
      return undefined;
    });
    return changes;
  }

  /** True when a function's body may check something; also true when this is unknown. */
  mayCheck(body: SyntaxNode, depth = 0): boolean {
    const text = this.#source.text.slice(body.start, body.end);
    if (
      /@ts-expect-error|\bthrow\b|\bdone\b|\b(?:Expect|Equal|assertType|expectTypeOf)\b|\bsatisfies\b/.test(
        text,
      )
    )
      return true;
    const parameters = new Set(children(body, "params").flatMap(namesIn));
    let checks = false;
    walk(body, (node) => {
      if (checks) return false;
      if (node.type === "TaggedTemplateExpression" || isTypeCheck(node)) checks = true;
      if (node.type === "ExpressionStatement")
        checks ||= isAccepted(child(node, "expression"), this.#modules);
      if (node.type !== "CallExpression" && node.type !== "NewExpression") return undefined;
      const name = nameOf(child(node, "callee"));
      const [first = ""] = name.split(".");
      const own = this.#own.get(first);
      checks = name === "" ? CHECKS.test(this.#source.text.slice(node.start, node.end)) : CHECKS.test(name);
      // A test context, `t.is(…)`, checks by its methods; a helper of another file may check anything.
      // A command of Cypress fails the test by itself when the page does not answer it.
      checks ||=
        parameters.has(first) ||
        this.#checkers.has(first) ||
        this.#support.has(first) ||
        MUST_FIND.test(name) ||
        first === "cy" ||
        (node.type === "CallExpression" && name === first && this.#imported.has(first));
      checks ||= own !== undefined && (depth >= 3 || this.mayCheck(own, depth + 1));
      return undefined;
    });
    return checks;
  }
}

/** True for code that only the type checker judges: a type alias inside a test, `const _value: Expected = actual`. */
function isTypeCheck(node: SyntaxNode): boolean {
  if (node.type === "TSTypeAliasDeclaration") return true;
  if (node.type !== "VariableDeclarator") return false;
  const target = child(node, "id");
  return nameOf(target).startsWith("_") && target?.typeAnnotation != null;
}

/**
 * True for `schema.parse(input);`: the statement drops the result, so its purpose is that the schema accepts the input. A function
 * of a module, `json.parse(text)`, is the code under test, and its result matters.
 */
function isAccepted(expression: SyntaxNode | null, modules: ReadonlySet<string>): boolean {
  const call = expression?.type === "AwaitExpression" ? child(expression, "argument") : expression;
  const callee = call?.type === "CallExpression" ? child(call, "callee") : null;
  if (callee?.type !== "MemberExpression" || modules.has(nameOf(child(callee, "object")))) return false;
  return REJECTS.test(nameOf(child(callee, "property")));
}

/** Returns the first name of `a.b[c].d`; "" for other expressions. */
function rootOf(node: SyntaxNode | null): string {
  return node?.type === "MemberExpression" ? rootOf(child(node, "object")) : nameOf(node);
}

/** The local names of the imports, `require` included, from the modules that `isWanted` chooses. */
function namesFrom(source: Source, isWanted: (module: string) => boolean): Set<string> {
  const names = new Set(
    source.module.staticImports
      .filter(({ moduleRequest }) => isWanted(moduleRequest.value))
      .flatMap(({ entries }) => entries.map(({ localName }) => localName.value)),
  );
  walk(source.program, (node) => {
    const [target, value] = [child(node, "id"), child(node, "init")];
    if (node.type !== "VariableDeclarator" || target === null || value?.type !== "CallExpression") return;
    if (nameOf(child(value, "callee")) !== "require") return;
    if (isWanted(textOf(children(value, "arguments")[0]) ?? "")) {
      for (const name of namesIn(target)) names.add(name);
    }
  });
  return names;
}

/** Modules of assertions: Node, chai, uvu, tap, should, power-assert, expect and the assertions of Deno. */
const ASSERTION_MODULE =
  /(?:^|[/:@-])(?:assert(?:ions?)?|chai|should|expect|tap|tape|must|unexpected|jasmine)(?:[/@.-]|$)/;

/** The names that stand for assertions: imported from such a module, or destructured from a name that checks. */
function checkersOf(source: Source): Set<string> {
  const names = new Set(
    source.module.staticImports
      .filter(({ moduleRequest }) => ASSERTION_MODULE.test(moduleRequest.value))
      .flatMap(({ entries }) => entries.map(({ localName }) => localName.value)),
  );
  walk(source.program, (node) => {
    if (node.type !== "VariableDeclarator") return;
    const [target, value] = [child(node, "id"), child(node, "init")];
    const isRequire = value?.type === "CallExpression" && nameOf(child(value, "callee")) === "require";
    const from = isRequire ? (textOf(children(value, "arguments")[0]) ?? "") : nameOf(value);
    if (target === null || from === "") return;
    if (isRequire ? ASSERTION_MODULE.test(from) : names.has(from) || CHECKS.test(from)) {
      for (const name of namesIn(target)) names.add(name);
    }
  });
  return names;
}

/** The names that a parameter or a declaration binds: `t`, `{ expect }`, `{ equal: same = x }`. */
function namesIn(pattern: SyntaxNode): string[] {
  if (pattern.type === "Identifier") return [nameOf(pattern)];
  const inner = [...children(pattern, "properties"), ...children(pattern, "elements")];
  const held = ["value", "left", "argument"].flatMap((field) => child(pattern, field) ?? []);
  return [...inner, ...held].flatMap(namesIn);
}

/** Finds sources that no test loads, directly or through other modules: their code cannot have been tested. */
function untested(input: ReviewInput, graph: ImportGraph): RawFinding[] {
  const testFiles = [...graph.keys()].filter(isTest);
  const sources = [...graph.values()].filter(
    ({ file, lines, imports }) =>
      !isTest(file) &&
      !isAside(file) &&
      !isDeclaration(file) &&
      !isComponent(file) &&
      !NEVER_TESTED.test(file) &&
      (lines >= MIN_UNTESTED_LINES || imports.length > 3),
  );
  if (sources.length === 0) return [];
  if (testFiles.length === 0) {
    const file = input.files.find((path) => path === "package.json") ?? sources[0]?.file ?? "package.json";
    return [
      raw(
        file,
        `There is no test for the ${sources.length} modules here. Start with the module that changes most.`,
        "medium",
      ),
    ];
  }
  const reached = reachable(graph, testFiles);
  const names = new Set(testFiles.map((file) => stemOf(file)));
  // A test of the same name may start the module in a process of its own.
  const bare = sources.filter(
    ({ file, lines }) => !reached.has(file) && !names.has(stemOf(file)) && lines >= MIN_UNTESTED_LINES,
  );
  if (bare.length > (1 - MIN_REACHED_SHARE) * sources.length) return [];
  return bare.map(({ file, lines }) =>
    raw(file, `No test loads this module (${lines} lines), directly or through another module.`, "low"),
  );
}

/** `src/a/retry.ts`, `test/a/retry.test.ts` → `retry`. */
function stemOf(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1).replace(/(?:[._-](?:test|spec)s?)?\.[^.]+$/, "");
}

function raw(file: string, message: string, severity: "low" | "medium"): RawFinding {
  const about = { kind: "untested-source", rule: "no-test", severity, file, line: 1 };
  return { ...about, message: oneLine(message), anchor: anchorOf("untested") };
}
