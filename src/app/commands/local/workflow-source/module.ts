// Reads a module of a workflow in TypeScript or JavaScript: its syntax tree with parents, and its scopes. Nothing of it is run.
import { stripTypeScriptTypes } from "node:module";
import { extname } from "node:path";
import { type Node, parse } from "acorn";
import { analyze, type Variable } from "eslint-scope";
import type * as ESTree from "estree";

/** The version of the language for the analysis of scopes; newer syntax has no new kinds of scopes. */
const SCOPES_OF = 2022;

/** A use of a name. */
export interface NameUse {
  readonly identifier: ESTree.Identifier;
  /** The declaration; null for a global name. */
  readonly resolved: Variable | null;
}

/** A module as a tree. */
export interface Module {
  readonly path: string;
  readonly tree: ESTree.Program;
  readonly parents: ReadonlyMap<ESTree.Node, ESTree.Node>;
  /** All uses of names, in the order of the text. */
  readonly uses: readonly NameUse[];
}

/** The text is no module that Node runs. */
export class ModuleSyntaxError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

/** The range of a node in the text. The types of estree leave it out, but acorn sets it. */
export const rangeOf = (node: ESTree.Node): Pick<Node, "start" | "end"> => node as unknown as Node;

/**
 * The deepest nesting of brackets. Node's parser of TypeScript runs out of its stack at about ten thousand, and reads nothing after that; code
 * that people write stays below fifty.
 */
const MAX_NESTING = 1_000;

/** Reads a module from its text. @throws ModuleSyntaxError with the place. */
export function readModule(path: string, text: string): Module {
  if (nestingOf(text) > MAX_NESTING) throw new ModuleSyntaxError("the code is nested too deeply", 1, 1);
  const tree = parseText(extname(path) === ".ts" ? withoutTypes(text) : text);
  const parents = new Map<ESTree.Node, ESTree.Node>();
  for (const node of nodesOf(tree)) for (const child of childrenOf(node)) parents.set(child, node);
  const scopes = analyze(tree, { ecmaVersion: SCOPES_OF, sourceType: "module", fallback: "iteration" });
  const uses = scopes.scopes
    .flatMap((scope) => scope.references)
    .flatMap(({ identifier, resolved }) =>
      identifier.type === "Identifier" ? [{ identifier, resolved }] : [],
    )
    .sort((a, b) => rangeOf(a.identifier).start - rangeOf(b.identifier).start);
  return { path, tree, parents, uses };
}

/** The deepest nesting of brackets. Brackets in texts count, too: they are few, and most come in pairs. */
function nestingOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [bracket] of text.matchAll(/[([{\])}]/g)) {
    depth = "([{".includes(bracket) ? depth + 1 : Math.max(0, depth - 1);
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** Replaces types by spaces, as Node does when it loads the file, so that lines and columns stay. */
function withoutTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined; // Node calls the function experimental, at every first call
  try {
    return stripTypeScriptTypes(text);
  } catch (error) {
    throw new ModuleSyntaxError((error as Error).message.split("\n")[0]!, 1, 1);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function parseText(text: string): ESTree.Program {
  try {
    const options = {
      ecmaVersion: "latest",
      sourceType: "module",
      locations: true,
      ranges: true,
      allowHashBang: true,
    } as const;
    return parse(text, options) as unknown as ESTree.Program;
  } catch (error) {
    const { message, loc } = error as Error & { loc?: { line: number; column: number } };
    throw new ModuleSyntaxError(message.replace(/ \(\d+:\d+\)$/, ""), loc?.line ?? 1, (loc?.column ?? 0) + 1);
  }
}

/** A node and all nodes below it, in the order of the text. */
export function* nodesOf(node: ESTree.Node): Generator<ESTree.Node> {
  yield node;
  for (const child of childrenOf(node)) yield* nodesOf(child);
}

function childrenOf(node: ESTree.Node): ESTree.Node[] {
  return Object.values(node)
    .flat()
    .filter((value): value is ESTree.Node => typeof value?.type === "string");
}
