// Finds the names that a classic script gives to all scripts of its page. The linters judge one file at a time, so such a name is
// unused for them, although another script or an attribute such as `onclick` may use it.
import { hasOtherRequire } from "../graph/imports.ts";
import { child, children, nameOf, parseText, type SyntaxNode } from "../syntax.ts";

/** Words of a file that is a module, or a program of its own, and shares its names with no other file. */
const HAS_OWN_SCOPE = /^#!|\b(?:require|define|importScripts)\s*\(|\bmodule\.exports\b|\bexports\.\w/;

/** Returns the global names that a classic script declares, each with its line; none for a module. */
export async function globalsOf(file: string, text: string): Promise<ReadonlyMap<string, number>> {
  const names = new Map<string, number>();
  if (!/\.(?:js|jsx|ts)$/.test(file) || hasOwnScope(text)) return names;
  const source = await parseText(file, text);
  if (source === null || source.module.hasModuleSyntax) return names;
  for (const statement of children(source.program, "body")) {
    for (const name of declaredBy(statement)) names.set(nameOf(name), source.lineAt(name.start));
  }
  return names;
}

function hasOwnScope(text: string): boolean {
  return HAS_OWN_SCOPE.test(text) && !hasOtherRequire(text);
}

function declaredBy(statement: SyntaxNode): SyntaxNode[] {
  const declarations =
    statement.type === "VariableDeclaration"
      ? children(statement, "declarations")
      : /^(?:Function|Class)Declaration$/.test(statement.type)
        ? [statement]
        : [];
  return declarations.flatMap((each) => {
    const name = child(each, "id");
    return name?.type === "Identifier" ? [name] : [];
  });
}
