// Checks the source of a workflow in TypeScript or JavaScript, without running it: from each call of defineWorkflow it follows every name to
// its declaration, also into other modules of the project, and tells what a replay would find changed.
//
//   const { faults, unread } = await checkSource("workflows/order.ts");
import { readFile, stat } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import type { Variable } from "eslint-scope";
import type * as ESTree from "estree";
import { type Module, ModuleSyntaxError, nodesOf, rangeOf, readModule } from "./module.ts";
import { ADVICE, builtinFault, type FaultKind, globalFault, isLocalMethod } from "./rules.ts";

/** One fault, with its place. */
export interface SourceFault {
  /** The module that has the fault. */
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** The answer of {@link checkSource}. */
export interface SourceCheck {
  readonly faults: readonly SourceFault[];
  /** The modules that the definition uses and that were not read, with the reason. */
  readonly unread: readonly { readonly module: string; readonly reason: string }[];
}

/** The largest module, in bytes: no one writes a larger one by hand. */
const MAX_MODULE_BYTES = 1024 * 1024;
/** The most modules of one definition. A definition that needs more has a whole program in it. */
const MAX_MODULES = 200;
/** The function that makes a definition. */
const DEFINES = "defineWorkflow";
/** Packages whose values are the same on every machine. */
const PURE_PACKAGES = /^(murmur-swarm(\/.*)?|zod(\/.*)?)$/;

/** Checks a definition's module and the modules that it uses. @returns also for a file that cannot be read, as a fault. */
export async function checkSource(path: string): Promise<SourceCheck> {
  const walk = new Walk();
  try {
    await walk.start(path);
  } catch (error) {
    walk.fault(path, 1, 1, textOf(error));
  }
  return walk.check();
}

/** Follows names over modules, and collects faults. */
class Walk {
  readonly #modules = new Map<string, Module | null>();
  readonly #visited = new Set<ESTree.Node>();
  readonly #faults = new Map<string, SourceFault>();
  readonly #unread = new Map<string, string>();
  /** Nodes that the walk must still visit. */
  readonly #pending: { readonly module: Module; readonly node: ESTree.Node }[] = [];

  async start(path: string): Promise<void> {
    const module = await this.#read(path);
    if (module === null) return;
    const calls = module.uses
      .filter(({ identifier, resolved }) => importedName(resolved) === DEFINES || identifier.name === DEFINES)
      .flatMap(({ identifier }) => {
        const parent = module.parents.get(identifier);
        return parent?.type === "CallExpression" && parent.callee === identifier ? parent.arguments : [];
      });
    // A definition that a helper makes: everything that the module exports counts.
    const exports = module.tree.body.filter(({ type }) => type.startsWith("Export"));
    for (const node of calls.length > 0 ? calls : exports) this.#pending.push({ module, node });
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift())
      await this.#visit(next.module, next.node);
  }

  check(): SourceCheck {
    // Faults of the definition itself come first. The Map keeps the order of the reads.
    const order = [...this.#modules.keys()];
    const faults = [...this.#faults.values()].sort(
      (a, b) => order.indexOf(a.path) - order.indexOf(b.path) || a.line - b.line || a.column - b.column,
    );
    return { faults, unread: [...this.#unread].map(([module, reason]) => ({ module, reason })) };
  }

  fault(path: string, line: number, column: number, message: string): void {
    const key = `${path}:${line}:${column}`;
    if (!this.#faults.has(key)) this.#faults.set(key, { path, line, column, message });
  }

  #faultAt(module: Module, node: ESTree.Node, text: string, kind: FaultKind): void {
    const { line, column } = node.loc?.start ?? { line: 1, column: 0 };
    this.fault(module.path, line, column + 1, `${text} ${ADVICE[kind]}`);
  }

  /** Reads a module once; null when it cannot be read, which is a fault or a note. */
  async #read(path: string, from?: Module): Promise<Module | null> {
    const known = this.#modules.get(path);
    if (known !== undefined) return known;
    this.#modules.set(path, null);
    if (this.#modules.size > MAX_MODULES) {
      this.#unread.set(path, `more than ${MAX_MODULES} modules`);
      return null;
    }
    try {
      const { size } = await stat(path);
      if (size > MAX_MODULE_BYTES) throw new Error(`the module has more than ${MAX_MODULE_BYTES} bytes`);
      const module = readModule(path, await readFile(path, "utf8"));
      this.#modules.set(path, module);
      return module;
    } catch (error) {
      if (error instanceof ModuleSyntaxError) this.fault(path, error.line, error.column, error.message);
      else if (from === undefined) throw error;
      else this.#unread.set(path, textOf(error));
      return null;
    }
  }

  async #visit(module: Module, node: ESTree.Node): Promise<void> {
    if (this.#visited.has(node)) return;
    this.#visited.add(node);
    for (const each of nodesOf(node)) this.#checkSyntax(module, each);
    const { start, end } = rangeOf(node);
    for (const { identifier, resolved } of module.uses) {
      const at = rangeOf(identifier).start;
      if (at < start || at >= end) continue;
      if (resolved === null) this.#checkGlobal(module, identifier);
      else await this.#follow(module, identifier, resolved);
    }
  }

  #checkSyntax(module: Module, node: ESTree.Node): void {
    if (node.type === "AwaitExpression" || (node.type === "ForOfStatement" && node.await))
      this.#faultAt(module, node, "await", "async");
    if (node.type === "ImportExpression") this.#faultAt(module, node, "import()", "async");
    if (node.type === "MetaProperty" && node.meta.name === "import")
      this.#faultAt(module, node, "import.meta", "environment");
    if ("async" in node && node.async === true) this.#faultAt(module, node, "an async function", "async");
    if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return;
    const name = memberName(node.callee);
    if (name !== undefined && isLocalMethod(name, node.arguments.length))
      this.#faultAt(
        module,
        node.callee.property,
        `${name}() follows the time zone or language of the machine; it`,
        "environment",
      );
  }

  #checkGlobal(module: Module, identifier: ESTree.Identifier): void {
    const path = pathOf(module, identifier);
    if (path[0] === "globalThis") path.shift();
    const ofNow = path.length === 1 && path[0] === "Date" ? dateOfNow(module, identifier) : undefined;
    if (ofNow !== undefined) this.#faultAt(module, identifier, ofNow, "clock");
    const found = globalFault(path);
    if (found !== null) this.#faultAt(module, identifier, found.text, found.kind);
  }

  /** Follows a name to its declarations. A parameter has none: its values come from calls, which are followed themselves. */
  async #follow(module: Module, identifier: ESTree.Identifier, variable: Variable): Promise<void> {
    for (const definition of variable.defs) {
      if (definition.type === "ImportBinding") {
        const specifier = definition.node as ESTree.ModuleSpecifier;
        await this.#import(module, identifier, specifier, definition.parent as ESTree.ImportDeclaration);
      } else if (definition.type !== "Parameter") {
        this.#pending.push({ module, node: definition.node as ESTree.Node });
      }
    }
  }

  async #import(
    module: Module,
    identifier: ESTree.Identifier,
    specifier: ESTree.ModuleSpecifier,
    declaration: ESTree.ImportDeclaration,
  ): Promise<void> {
    const source = String(declaration.source.value);
    const name = specifier.type === "ImportSpecifier" ? nameOf(specifier.imported) : undefined;
    if (isBuiltin(source)) {
      const path = name === undefined ? pathOf(module, identifier).slice(1) : [name];
      const kind = builtinFault(source, path[0]);
      if (kind !== null) this.#faultAt(module, identifier, [source, ...path.slice(0, 1)].join(" "), kind);
    } else if (/^\.{1,2}\//.test(source)) {
      const member = specifier.type === "ImportNamespaceSpecifier" ? pathOf(module, identifier)[1] : name;
      await this.#exported(module, source, specifier.type === "ImportDefaultSpecifier" ? "default" : member);
    } else if (!PURE_PACKAGES.test(source)) {
      this.#unread.set(source, "a package");
    }
  }

  /** Follows an export of another module; all of the module without a name. */
  async #exported(from: Module, source: string, name: string | undefined): Promise<void> {
    const path = join(dirname(from.path), source);
    if (path.endsWith(".json")) return; // data is the same everywhere
    const module = await this.#read(path, from);
    if (module === null) return;
    if (name === undefined) {
      this.#pending.push({ module, node: module.tree });
      return;
    }
    for (const statement of module.tree.body) await this.#exportedBy(module, statement, name);
  }

  async #exportedBy(module: Module, statement: ESTree.Program["body"][number], name: string): Promise<void> {
    if (statement.type === "ExportDefaultDeclaration" && name === "default")
      this.#pending.push({ module, node: statement.declaration as ESTree.Node });
    if (statement.type === "ExportAllDeclaration") {
      const under = statement.exported === null ? name : undefined;
      if (under !== undefined || nameOf(statement.exported!) === name)
        await this.#reExported(module, String(statement.source.value), under);
    }
    if (statement.type !== "ExportNamedDeclaration") return;
    if (statement.declaration != null && declaresName(statement.declaration, name))
      this.#pending.push({ module, node: statement.declaration });
    for (const specifier of statement.specifiers) {
      if (nameOf(specifier.exported) !== name) continue;
      if (statement.source != null)
        await this.#reExported(module, String(statement.source.value), nameOf(specifier.local));
      else this.#pending.push({ module, node: specifier });
    }
  }

  async #reExported(module: Module, source: string, name: string | undefined): Promise<void> {
    if (/^\.{1,2}\//.test(source)) await this.#exported(module, source, name);
    else if (!PURE_PACKAGES.test(source)) this.#unread.set(source, "a package");
  }
}

/** The name and the members that follow it: process.env.HOME. A computed member ends the path, unless it is a text. */
function pathOf(module: Module, identifier: ESTree.Identifier): string[] {
  const path = [identifier.name];
  let node: ESTree.Node = identifier;
  for (;;) {
    const parent = module.parents.get(node);
    if (parent?.type === "ChainExpression") node = parent;
    else if (parent?.type === "MemberExpression" && parent.object === node) {
      const name = memberName(parent);
      if (name === undefined) return path;
      path.push(name);
      node = parent;
    } else return path;
  }
}

function memberName(member: ESTree.MemberExpression): string | undefined {
  if (!member.computed && member.property.type === "Identifier") return member.property.name;
  if (member.property.type === "Literal" && typeof member.property.value === "string")
    return member.property.value;
  return undefined;
}

/** The text of `new Date()` and `Date()`, which are the moment of the call; undefined for other uses of a date. */
function dateOfNow(module: Module, identifier: ESTree.Identifier): string | undefined {
  const parent = module.parents.get(identifier);
  if (parent?.type === "CallExpression" && parent.callee === identifier) return "Date()";
  const isNew = parent?.type === "NewExpression" && parent.callee === identifier;
  return isNew && parent.arguments.length === 0 ? "new Date()" : undefined;
}

function importedName(variable: Variable | null): string | undefined {
  const specifier = variable?.defs.find(({ type }) => type === "ImportBinding")?.node as
    | ESTree.ModuleSpecifier
    | undefined;
  return specifier?.type === "ImportSpecifier" ? nameOf(specifier.imported) : undefined;
}

const nameOf = (node: ESTree.Identifier | ESTree.Literal): string =>
  node.type === "Identifier" ? node.name : String(node.value);

function declaresName(declaration: ESTree.Declaration, name: string): boolean {
  if (declaration.type !== "VariableDeclaration") return declaration.id?.name === name;
  // A pattern declares several names: all of the declaration counts.
  return declaration.declarations.some(({ id }) => id.type !== "Identifier" || id.name === name);
}

function textOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : `the file cannot be read: ${code}`;
}
