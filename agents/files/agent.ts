// Works on files below one directory (MURMUR_FILES_DIR, default the directory of the process): lists, counts, archives and restores them. The
// templates in workflows/ use it. It follows no link out of the directory, overwrites nothing, and each of its effects is safe to repeat.
import { mkdir, readdir, readFile, realpath, rename, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { defineAgent, SwarmError, TerminalError } from "murmur-swarm";
import { z } from "zod";

/** The most files of one list: a map of a workflow takes as many items. */
const MAX_FILES = 10_000;
/** The largest file that is counted or searched: its text is read as a whole. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** Folders that hold no files of people. */
const SKIPPED = new Set(["node_modules", ".git", ".murmur"]);

const path = z.string().min(1).max(4_096);
const listInput = z.strictObject({
  /** Relative to the directory of the agent. */
  directory: path.default("."),
  /** Only names with this ending, such as `.md`. */
  ending: z.string().max(64).default(""),
  /** Only files that were not changed for this time. */
  olderThanDays: z.number().min(0).optional(),
});
const countSchema = z.strictObject({
  path,
  bytes: z.int(),
  lines: z.int(),
  words: z.int(),
});
const restoreInput = z.object({ input: z.strictObject({ path, to: path }), certain: z.boolean() });
type Count = z.output<typeof countSchema>;

const WORK = {
  "files-list": { input: listInput, run: listFiles },
  "files-count": { input: z.strictObject({ path }), run: countFile },
  "files-sum": { input: z.strictObject({ counts: z.array(countSchema) }), run: sumCounts },
  "files-archive": { input: z.strictObject({ path, to: path }), run: archiveFile },
  "files-restore": { input: restoreInput, run: restoreFile },
} as const;

export default defineAgent({
  name: "files",
  description: "Lists, counts, archives and restores files below a directory.",
  capabilities: Object.keys(WORK),
  triggers: ["list the files", "count the files", "archive old files"],
  // One schema for all capabilities: planners read it. Each capability checks its own form below.
  input: z.union([
    listInput,
    WORK["files-count"].input,
    WORK["files-sum"].input,
    WORK["files-archive"].input,
    restoreInput,
  ]),
  async run(task) {
    const work = WORK[task.capability as keyof typeof WORK];
    const parsed = work.input.safeParse(task.input);
    if (parsed.success) return work.run(parsed.data as never);
    const [issue] = parsed.error.issues;
    const field = ["input", ...(issue?.path ?? []).map(String)].join(".");
    throw new SwarmError("invalid_input", `${field}: ${issue?.message}`, { field });
  },
});

function rootDirectory(): string {
  return resolve(process.env.MURMUR_FILES_DIR ?? ".");
}

/** The absolute path of a file or folder below the root. @throws TerminalError for a path that leads out of it. */
async function within(name: string): Promise<string> {
  const root = await realpath(rootDirectory());
  const full = resolve(root, name);
  const known = await realpath(full).catch(() => full); // a target need not exist
  for (const place of [full, known])
    if (place !== root && !place.startsWith(root + sep))
      throw new TerminalError(`expected a path below ${root}, got ${name}`);
  return full;
}

async function listFiles({ directory, ending, olderThanDays }: z.output<typeof listInput>) {
  const root = await realpath(rootDirectory());
  const from = await within(directory);
  const beforeMs = olderThanDays === undefined ? null : Date.now() - olderThanDays * 86_400_000;
  const found: string[] = [];
  const folders = [from];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const full = join(folder, entry.name);
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) folders.push(full);
      if (!entry.isFile() || !entry.name.endsWith(ending)) continue;
      if (beforeMs !== null && (await stat(full)).mtimeMs >= beforeMs) continue;
      found.push(relative(root, full).split(sep).join("/"));
    }
  }
  const files = found.sort();
  return { files: files.slice(0, MAX_FILES), left: Math.max(0, files.length - MAX_FILES) };
}

async function countFile({ path: name }: { path: string }): Promise<Count> {
  const full = await within(name);
  const { size } = await stat(full);
  if (size > MAX_FILE_BYTES)
    throw new TerminalError(`${name} has ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
  const text = await readFile(full, "utf8");
  const words = text.match(/\S+/g)?.length ?? 0;
  return { path: name, bytes: size, lines: text.split("\n").length - 1, words };
}

function sumCounts({ counts }: { counts: readonly Count[] }) {
  const sum = (of: (count: Count) => number) => counts.reduce((total, count) => total + of(count), 0);
  const largest = counts.reduce<Count | null>(
    (most, count) => (most === null || count.bytes > most.bytes ? count : most),
    null,
  );
  return {
    files: counts.length,
    bytes: sum(({ bytes }) => bytes),
    lines: sum(({ lines }) => lines),
    words: sum(({ words }) => words),
    largest: largest?.path ?? null,
  };
}

/** Moves a file below the folder `to`, under its path. */
async function archiveFile({ path: name, to }: { path: string; to: string }) {
  const [from, target] = await Promise.all([within(name), within(join(to, name))]);
  await move(from, target);
  return { archived: join(to, name).split(sep).join("/") };
}

/** The compensation of an archived file: moves it back. A file whose move is not certain, and that is in its place, was not moved. */
async function restoreFile({ input: { path: name, to }, certain }: z.output<typeof restoreInput>) {
  const [from, target] = await Promise.all([within(join(to, name)), within(name)]);
  if (!certain && (await isFile(target))) return null;
  await move(from, target);
  return null;
}

/** Moves a file, also when an attempt before did it already. @throws TerminalError when there is no file, or another one at the target. */
async function move(from: string, target: string): Promise<void> {
  const [isThere, isDone] = await Promise.all([isFile(from), isFile(target)]);
  if (!isThere && isDone) return;
  if (!isThere) throw new TerminalError(`there is no file ${from}`);
  if (isDone) throw new TerminalError(`${target} exists already; it is not overwritten`);
  await mkdir(dirname(target), { recursive: true });
  await rename(from, target);
}

async function isFile(full: string): Promise<boolean> {
  return stat(full).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
