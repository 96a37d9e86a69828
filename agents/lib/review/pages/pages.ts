// The explanation of each kind of finding, and the address of its page. Pure. Leaves the texts to the files beside it.
import { areaOf, KINDS } from "../kinds.ts";

/** A kind in words, as formats with room for it show it. */
export interface KindDescription {
  /** One line. */
  title: string;
  text: string;
  markdown: string;
}

/** Describes a kind; a rule that only one linter has by its name alone. */
export function describeKind(kind: string): KindDescription {
  const title = `${kind.charAt(0).toUpperCase()}${kind.slice(1).replaceAll("-", " ")}`;
  const text = `${title} (${areaOf(kind)}).`;
  return { title, text, markdown: text };
}

/** Returns the page about a kind, from the root of this package; null for a rule that only one linter has. */
export function pageOf(kind: string): string | null {
  return KINDS[kind] === undefined ? null : `docs/review/kinds/${kind}.md`;
}

/** Returns the address of the documentation of a linter's rule; null when the linter's rules have no address of their own. */
export function ruleUrl(rule: string, agreedBy: readonly string[]): string | null {
  const name = rule.slice(rule.lastIndexOf("/") + 1);
  if (!/^[\w-]+$/.test(name)) return null;
  if (rule.startsWith("@typescript-eslint/")) return `https://typescript-eslint.io/rules/${name}`;
  if (rule.includes("/")) {
    if (!agreedBy.includes("review-biome")) return null;
    const words = name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();
    return `https://biomejs.dev/linter/rules/${words}/`;
  }
  if (agreedBy.includes("review-eslint")) return `https://eslint.org/docs/latest/rules/${name}`;
  // oxlint's rules have their plugin in the address, which its messages may omit.
  return agreedBy.includes("review-oxlint") ? "https://oxc.rs/docs/guide/usage/linter/rules.html" : null;
}
