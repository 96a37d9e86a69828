// Keeps the syntax trees of files that several analyses of one review ask for. Owns their bounds and their end; leaves the parser to
// syntax.ts. Its callers only read the trees.
// I1: a kept tree is given only for the same text of the same file.

/**
 * The most characters of all texts whose trees are kept. A tree takes about fifty bytes for a character, so this is 100 MiB, a tenth of the heap of
 * a review's process. It is enough for some 500 files.
 */
export const MAX_KEPT_CHARACTERS = 2 * 1024 * 1024;
/** How long trees are kept after the last use, in ms: the analyses of one review follow each other. */
const KEPT_MS = 60_000;

interface Entry<Tree> {
  text: string;
  tree: Tree;
}

/**
 * The trees of the first files, until the bound is reached. Analyses ask for all files in one order, so the files that were used last are never
 * the next ones.
 */
export class KeptTrees<Tree> {
  readonly #maxCharacters: number;
  readonly #entries = new Map<string, Entry<Tree>>();
  #directory: string | undefined;
  #characters = 0;
  #end: NodeJS.Timeout | undefined;

  /** `maxCharacters`: default {@link MAX_KEPT_CHARACTERS}. */
  constructor(maxCharacters = MAX_KEPT_CHARACTERS) {
    this.#maxCharacters = maxCharacters;
  }

  /** Returns the tree of this text of a file; undefined when there is none (I1). */
  get(directory: string, file: string, text: string): Tree | undefined {
    const entry = this.#directory === directory ? this.#entries.get(file) : undefined;
    if (entry?.text !== text) return undefined;
    this.#renew();
    return entry.tree;
  }

  /** Keeps a tree, if there is room, and returns it. Another directory is another review: its trees take the place of all others. */
  keep(directory: string, file: string, text: string, tree: Tree): Tree {
    if (this.#directory !== directory) this.#clear();
    this.#directory = directory;
    const characters = this.#characters - (this.#entries.get(file)?.text.length ?? 0) + text.length;
    if (characters > this.#maxCharacters) return tree;
    this.#entries.set(file, { text, tree });
    this.#characters = characters;
    this.#renew();
    return tree;
  }

  #renew(): void {
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#clear(), KEPT_MS);
    this.#end.unref();
  }

  #clear(): void {
    clearTimeout(this.#end);
    this.#entries.clear();
    this.#characters = 0;
  }
}
