// Lints the scripts of Vue components with JSX whose tag does not announce it: `<script>` in place of `<script lang="jsx">`. Vue's
// compilers accept that, and the linters take such a script for plain JavaScript. So the linters get the script in a file of its own, in
// a temporary folder, with the lines of the component.
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptOf } from "../scripts.ts";
import { parseText } from "../syntax.ts";
import { hasJsx } from "./jsx.ts";

/** A script of a component with its place in the temporary folder. */
export interface ComponentScript {
  /** The component. */
  file: string;
  /** The name of the script's file in the folder. */
  name: string;
}

/** The scripts of some components, in a folder of their own. */
export interface ComponentScripts {
  /** Absolute, without links. */
  folder: string;
  scripts: readonly ComponentScript[];
  /** Removes the folder. */
  remove(): Promise<void>;
}

/** A tag that announces JSX: the linters read such a script themselves. */
const ANNOUNCES_JSX = /<script\b[^>]{0,2000}\blang\s*=\s*["']?[jt]sx/i;
/** The start of an element where a value can stand. */
const MAY_BE_JSX = /(?:[(=:?,&|>[{]|\breturn)\s*<[A-Za-z>]/;

/**
 * Writes the scripts with unannounced JSX among `texts` into a temporary folder.
 * @returns null without such a script, and where no folder can be made: then the linters report that they cannot parse these files.
 */
export async function writeJsxScripts(texts: ReadonlyMap<string, string>): Promise<ComponentScripts | null> {
  const found: { file: string; text: string }[] = [];
  for (const [file, text] of texts) {
    if (!file.endsWith(".vue") || ANNOUNCES_JSX.test(text)) continue;
    const script = scriptOf(file, text);
    if (script.lang !== "jsx" || !MAY_BE_JSX.test(script.text)) continue;
    const source = await parseText(file, text);
    if (source !== null && hasJsx(source)) found.push({ file, text: script.text });
  }
  if (found.length === 0) return null;
  try {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "murmur-scripts-")));
    const remove = () => rm(folder, { recursive: true, force: true });
    const scripts = found.map(({ file }, index) => ({ file, name: `script-${index}.jsx` }));
    for (const [index, { text }] of found.entries())
      await writeFile(join(folder, scripts[index]?.name ?? ""), text);
    return { folder, scripts, remove };
  } catch {
    return null;
  }
}
