// Finds code that an attacker can exploit: a small set of checks on the syntax tree, each narrow enough that a hit is worth
// reading. Checks that would have to follow data through functions are left out, because they would guess.
import type { AnalysisTools, RawFinding, ReviewInput, Unjudged } from "../contract.ts";
import { isTest } from "../files.ts";
import { readSuppressions } from "../linters/suppressions.ts";
import {
  calledFrom,
  child,
  children,
  eachSource,
  findingAt,
  importedFrom,
  isBuiltText,
  isFunction,
  keyOf,
  nameOf,
  propertyOf,
  type Source,
  type SyntaxNode,
  textOf,
  walk,
} from "../syntax.ts";
import { importAnalyser } from "../toolbox.ts";

/** The longest pattern that is analysed; longer patterns are generated, and their analysis takes long. */
const MAX_REGEX_CHARACTERS = 1000;

interface Scslre {
  analyse(
    literal: { source: string; flags: string },
    options: { maxReports: number },
  ): {
    reports: { exponential: boolean; character: { pick: string } }[];
  };
}

type Check = (node: SyntaxNode, source: Facts, above: readonly SyntaxNode[]) => Hit | null;

interface Hit {
  kind: string;
  rule: string;
  message: string;
}

/** A source, with the facts about it that the checks need. */
interface Facts extends Source {
  processes: ReadonlyMap<string, string>;
  fileSystem: ReadonlyMap<string, string>;
  /** The names of variables with data of a request. */
  fromRequest: ReadonlySet<string>;
}

/** Runs the checks over the code files of the input. Returns the files that it could not read or parse, too. */
export async function findRiskyCode(
  input: ReviewInput,
  tools: AnalysisTools,
): Promise<{ findings: RawFinding[]; unjudged: Unjudged[] }> {
  const { analyse } = await importAnalyser<Scslre>("scslre");
  const checks: readonly Check[] = [
    codeInjection,
    commandInjection,
    sqlInjection,
    pathTraversal,
    tlsCheckDisabled,
    weakRandomness,
    weakCipher,
    (node, { file }) => (isTest(file) ? null : unsafeRegex(node, analyse)),
  ];
  const findings: RawFinding[] = [];
  const unjudged = await eachSource(input, tools, (source) => {
    const facts: Facts = {
      ...source,
      processes: importedFrom(source, ["child_process", "node:child_process"]),
      fileSystem: importedFrom(source, ["fs", "node:fs", "fs/promises", "node:fs/promises", "fs-extra"]),
      fromRequest: namesFromRequest(source),
    };
    // A comment that silences a linter's rule silences the same kind here.
    const isSilenced = readSuppressions(source.text);
    walk(source.program, (node, above) => {
      for (const check of checks) {
        const hit = check(node, facts, above);
        if (hit === null) continue;
        const line = source.lineAt(node.start);
        const given = { names: [], source: source.lines[line - 1] ?? "", above: "" };
        if (!isSilenced(hit.kind, line, given)) findings.push(findingAt(source, node, hit));
      }
      return undefined;
    });
  });
  return { findings, unjudged };
}

const codeInjection: Check = (node) => {
  const callee = child(node, "callee");
  // `(0, eval)(text)` is eval in the global scope.
  const name = nameOf(
    callee?.type === "SequenceExpression" ? children(callee, "expressions").at(-1) : callee,
  );
  const [first] = children(node, "arguments");
  const isCall = node.type === "CallExpression";
  if (isCall && /^(?:globalThis\.|window\.)?eval$/.test(name)) {
    return {
      kind: "code-injection",
      rule: "eval",
      message:
        "eval() runs any text that it gets, with this program's rights. Parse data with JSON.parse, or look behaviour up in a table.",
    };
  }
  if ((isCall || node.type === "NewExpression") && name === "Function" && first !== undefined) {
    if (children(node, "arguments").every((argument) => textOf(argument) !== null)) return null;
    return {
      kind: "code-injection",
      rule: "new-function",
      message:
        "new Function() compiles text at run time: an attacker who controls the text runs code here. Make sure that no input reaches it, or use a table of functions.",
    };
  }
  if (
    isCall &&
    /^(?:setTimeout|setInterval)$/.test(name) &&
    (textOf(first) !== null || isBuiltText(first ?? null))
  ) {
    return {
      kind: "code-injection",
      rule: "timer-with-text",
      message: `${name}() with text evaluates it as code. Pass a function.`,
    };
  }
  return null;
};

const commandInjection: Check = (node, { processes }) => {
  if (node.type !== "CallExpression" || processes.size === 0) return null;
  const called = calledFrom(processes, child(node, "callee"));
  const [command = null, second, third] = children(node, "arguments");
  if (/^exec(?:Sync)?$/.test(called) && isBuiltText(command)) {
    return {
      kind: "command-injection",
      rule: "exec-built-text",
      message: `${called}() gives a built text to a shell: a value with \`;\` or \`$()\` runs as a command. Use execFile() with an array of arguments.`,
    };
  }
  if (!/^(?:spawn|execFile)(?:Sync)?$/.test(called)) return null;
  const shell = propertyOf(third ?? second, "shell");
  const usesShell = shell !== null && (shell.value === true || textOf(shell) !== null);
  const isFixed =
    textOf(command) !== null && children(second, "elements").every((item) => textOf(item) !== null);
  if (!usesShell || isFixed) return null;
  return {
    kind: "command-injection",
    rule: "spawn-shell",
    message: `${called}() with \`shell\` joins its arguments into a line for a shell, unquoted. Leave \`shell\` out: the arguments then reach the program as they are.`,
  };
};

const SQL =
  /^\s*(?:select\s.+\sfrom|insert\s+into|update\s.+\sset|delete\s+from|drop\s+table|alter\s+table)\b/is;

const sqlInjection: Check = (node) => {
  if (node.type !== "CallExpression") return null;
  const callee = nameOf(child(node, "callee"));
  if (!/\.(?:query|execute|raw|prepare|exec|all|\$queryRawUnsafe|\$executeRawUnsafe)$/.test(callee))
    return null;
  const [statement = null] = children(node, "arguments");
  if (!isBuiltText(statement) || !SQL.test(fixedText(statement))) return null;
  return {
    kind: "sql-injection",
    rule: "sql-built-text",
    message:
      "This SQL is built from values: a value with a quote changes the statement. Use placeholders and pass the values separately.",
  };
};

/** Returns the literal parts of a built text, with `?` for the other parts. */
function fixedText(node: SyntaxNode | null): string {
  if (node?.type === "TemplateLiteral") {
    return children(node, "quasis")
      .map(({ value }) =>
        typeof value === "object" && value !== null && "raw" in value ? String(value.raw) : "",
      )
      .join("?");
  }
  if (node?.type === "BinaryExpression")
    return fixedText(child(node, "left")) + fixedText(child(node, "right"));
  return textOf(node) ?? "?";
}

const REQUEST = /^(?:req|request|ctx|context|c)(?:\.req|\.request)?\.(?:params?|query|body|url|headers?)\b/;
const OPENS_FILE =
  /^(?:readFile|writeFile|appendFile|createReadStream|createWriteStream|unlink|rm|readdir|open|stat|copyFile|rename)(?:Sync)?$/;

const pathTraversal: Check = (node, { fileSystem, fromRequest }) => {
  if (node.type !== "CallExpression" || fileSystem.size === 0) return null;
  const called = calledFrom(fileSystem, child(node, "callee"));
  const [path] = children(node, "arguments");
  if (!OPENS_FILE.test(called) || path === undefined || !comesFromRequest(path, fromRequest)) return null;
  return {
    kind: "path-traversal",
    rule: "request-path",
    message: `${called}() gets a path from a request: \`../\` in it reaches any file. Resolve it against a fixed folder and check that it stays inside.`,
  };
};

/** True when an expression uses raw data of a request. Data that passes through basename() is safe. */
function comesFromRequest(node: SyntaxNode, fromRequest: ReadonlySet<string>): boolean {
  let found = false;
  walk(node, (inner) => {
    if (inner.type === "CallExpression" && /(?:^|\.)basename$/.test(nameOf(child(inner, "callee"))))
      return false;
    if (inner.type === "Identifier" && fromRequest.has(nameOf(inner))) found = true;
    if (inner.type === "MemberExpression" && REQUEST.test(nameOf(inner))) found = true;
    return undefined;
  });
  return found;
}

function namesFromRequest({ program, text }: Source): Set<string> {
  const names = new Set<string>();
  if (!/\b(?:req|request|ctx|context|c)\./.test(text)) return names;
  walk(program, (node) => {
    if (node.type !== "VariableDeclarator") return undefined;
    const [target, value] = [child(node, "id"), child(node, "init")];
    const read = value?.type === "CallExpression" ? child(value, "callee") : value;
    if (!REQUEST.test(nameOf(read))) return undefined;
    if (target?.type === "Identifier") names.add(nameOf(target));
    for (const property of children(target, "properties")) names.add(nameOf(child(property, "value")));
    return undefined;
  });
  names.delete("");
  return names;
}

const tlsCheckDisabled: Check = (node) => {
  const hit = (rule: string, subject: string): Hit => ({
    kind: "tls-check-disabled",
    rule,
    message: `${subject} accepts any certificate, so an attacker on the network path can read and change the traffic. Add the private authority with \`ca\` or NODE_EXTRA_CA_CERTS.`,
  });
  if (node.type === "Property" && /^(?:rejectUnauthorized|strictSSL)$/.test(keyOf(node))) {
    return child(node, "value")?.value === false ? hit("reject-unauthorized", `${keyOf(node)}: false`) : null;
  }
  if (node.type !== "AssignmentExpression") return null;
  if (!nameOf(child(node, "left")).endsWith("env.NODE_TLS_REJECT_UNAUTHORIZED")) return null;
  return String(child(node, "right")?.value) === "0"
    ? hit("tls-environment", "NODE_TLS_REJECT_UNAUTHORIZED=0")
    : null;
};

const SECRET_NAME =
  /(?:^|_)(?:token|secret|password|passwd|nonce|salt|otp|csrf|apikey|api_key|session_?id|private_?key)(?:$|_)/;

const weakRandomness: Check = (node, _source, above) => {
  if (node.type !== "CallExpression" || nameOf(child(node, "callee")) !== "Math.random") return null;
  const owner = above.findLast(
    (outer) => outer.type === "VariableDeclarator" || outer.type === "Property" || isFunction(outer),
  );
  const name = owner === undefined ? "" : nameOf(child(owner, "id")) || keyOf(owner);
  const snake = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
  if (!SECRET_NAME.test(snake)) return null;
  return {
    kind: "weak-randomness",
    rule: "math-random-secret",
    message: `${name} is made with Math.random(): its next values can be computed from a few values. Use crypto.randomBytes() or crypto.randomUUID().`,
  };
};

const weakCipher: Check = (node) => {
  if (node.type !== "CallExpression") return null;
  const called = nameOf(child(node, "callee")).split(".").at(-1) ?? "";
  const name = textOf(children(node, "arguments")[0])?.toLowerCase();
  if (
    /^create(?:C|Dec)ipheriv$/.test(called) &&
    name !== undefined &&
    /^(?:des|rc4|bf|rc2)|-ecb$/.test(name)
  ) {
    return {
      kind: "weak-cipher",
      rule: "cipher",
      message: `${name} does not keep its text secret (broken, or the same block always encrypts the same). Use aes-256-gcm.`,
    };
  }
  return null;
};

function unsafeRegex(node: SyntaxNode, analyse: Scslre["analyse"]): Hit | null {
  const pattern = patternOf(node);
  if (pattern === null || pattern.source.length > MAX_REGEX_CHARACTERS) return null;
  // A pattern with fewer than two quantifiers cannot backtrack exponentially.
  if ((pattern.source.match(/[*+}]/g)?.length ?? 0) < 2) return null;
  try {
    const worst = analyse(pattern, { maxReports: 10 }).reports.find(({ exponential }) => exponential);
    if (worst === undefined) return null;
    return {
      kind: "unsafe-regex",
      rule: "exponential-backtracking",
      message: `This pattern takes exponential time on a long run of ${JSON.stringify(worst.character.pick)} that does not match in the end: thirty characters can stop the process. Make the nested repetition unambiguous.`,
    };
  } catch {
    // The linters report a pattern that does not parse.
    return null;
  }
}

function patternOf(node: SyntaxNode): { source: string; flags: string } | null {
  if (node.type === "Literal" && typeof node.regex === "object" && node.regex !== null) {
    const { pattern, flags } = node.regex as { pattern: string; flags: string };
    return { source: pattern, flags };
  }
  if (node.type !== "NewExpression" || nameOf(child(node, "callee")) !== "RegExp") return null;
  const [source, flags] = children(node, "arguments").map(textOf);
  return typeof source === "string" ? { source, flags: flags ?? "" } : null;
}
