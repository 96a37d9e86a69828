// A researcher: finds the passage of some files that answers a question, by one of three measures. Three of them with different measures
// vote in the template research, so that one measure that errs is outvoted. No model, no network.
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { type AgentDefinition, defineAgent, TerminalError } from "murmur-swarm";
import { z } from "zod";

/** The measures of a passage. */
export type Measure = "overlap" | "rarity" | "nearness";

/** The most files, and the largest one, that a question reads. */
const MAX_READ_FILES = 2_000;
const MAX_READ_BYTES = 1024 * 1024;
/** The longest passage of an answer, in UTF-16 units. */
const MAX_PASSAGE_LENGTH = 600;
/** Words that say nothing about a question. */
const COMMON = new Set(
  "a an and are as at be by do does for from has have how in is it its of on or that the this to what when where which who why with".split(
    " ",
  ),
);

const inputSchema = z.strictObject({
  question: z.string().min(1).max(1_000),
  /** The folder with the texts, below MURMUR_FILES_DIR. */
  directory: z.string().min(1).max(4_096).default("."),
});

interface Passage {
  readonly source: string;
  readonly text: string;
  readonly words: readonly string[];
}

/** Makes a researcher. */
export function defineResearcher(measure: Measure): AgentDefinition {
  return defineAgent({
    name: `research-${measure}`,
    description: `Finds the passage that answers a question, by its ${measure}.`,
    capabilities: ["research"],
    expertise: ["search"],
    input: inputSchema,
    async run({ input: { question, directory } }) {
      const passages = await readPassages(directory);
      const best = findBest(question, passages, measure);
      if (best === null) throw new TerminalError(`no text below ${directory} names a word of the question`);
      return { source: best.source, passage: best.text.slice(0, MAX_PASSAGE_LENGTH) };
    },
  });
}

/** The passage with the most points; null when none has a word of the question. Of equal ones the first counts. */
export function findBest(question: string, passages: readonly Passage[], measure: Measure): Passage | null {
  const wanted = [...new Set(wordsOf(question))].filter((word) => !COMMON.has(word));
  const counts = new Map<string, number>();
  for (const { words } of passages)
    for (const word of new Set(words)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const rarity = (word: string) => Math.log((1 + passages.length) / (1 + (counts.get(word) ?? 0)));
  let best: { passage: Passage; points: number } | null = null;
  for (const passage of passages) {
    const known = new Set(passage.words);
    const found = wanted.filter((word) => known.has(word));
    if (found.length === 0) continue;
    const points = POINTS[measure](found, passage, rarity);
    if (best === null || points > best.points) best = { passage, points };
  }
  return best?.passage ?? null;
}

const POINTS: Readonly<
  Record<Measure, (found: readonly string[], passage: Passage, rarity: (word: string) => number) => number>
> = {
  overlap: (found) => found.length,
  rarity: (found, _passage, rarity) => found.reduce((sum, word) => sum + rarity(word), 0),
  nearness: (found, { words }) => {
    const places = found.map((word) => words.indexOf(word));
    return found.length + 1 / (1 + Math.max(...places) - Math.min(...places));
  },
};

async function readPassages(directory: string): Promise<Passage[]> {
  const root = await realpath(resolve(process.env.MURMUR_FILES_DIR ?? "."));
  const from = await realpath(resolve(root, directory));
  if (from !== root && !from.startsWith(root + sep))
    throw new TerminalError(`expected a folder below ${root}, got ${directory}`);
  const names = await readdir(from, { recursive: true });
  const passages: Passage[] = [];
  for (const name of names
    .filter((each) => /\.(md|txt)$/.test(each) && !/node_modules/.test(each))
    .sort()
    .slice(0, MAX_READ_FILES)) {
    const full = join(from, name);
    const facts = await stat(full);
    if (!facts.isFile() || facts.size > MAX_READ_BYTES) continue;
    const source = relative(root, full).split(sep).join("/");
    for (const text of (await readFile(full, "utf8")).split(/\n\s*\n/))
      if (text.trim() !== "") passages.push({ source, text: text.trim(), words: wordsOf(text) });
  }
  return passages;
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
