// Output for people: colours, tables, and progress on standard error.
import pc from "picocolors";

/** Shows people the progress of a command. */
export interface Terminal {
  readonly colors: ReturnType<typeof pc.createColors>;
  /** Writes one line of progress. Does nothing when the output is for programs. */
  say(line: string): void;
  /** Replaces the status line on a terminal; an empty text removes it. Does nothing when the stream is no terminal. */
  status(line: string): void;
}

/** The stream that a terminal writes to. */
export interface TerminalStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/**
 * The terminal of this process, or of `stream`. `quiet`: the output is for programs, so nothing is shown. Colours follow NO_COLOR
 * and FORCE_COLOR.
 */
export function createTerminal(options: {
  quiet: boolean;
  stream?: TerminalStream | undefined;
  environment?: Readonly<Record<string, string | undefined>>;
}): Terminal {
  const { quiet, stream = process.stderr, environment = process.env } = options;
  const live = !quiet && stream.isTTY === true;
  const noColor = environment.NO_COLOR !== undefined && environment.NO_COLOR !== "";
  const forced = environment.FORCE_COLOR !== undefined && environment.FORCE_COLOR !== "0";
  let shown = false;
  const clear = () => {
    if (shown) stream.write("\r\u001b[2K");
    shown = false;
  };
  return {
    colors: pc.createColors(!noColor && (forced || stream.isTTY === true)),
    say: (line) => {
      if (quiet) return;
      clear();
      stream.write(`${line}\n`);
    },
    status: (line) => {
      if (!live) return;
      clear();
      if (line === "") return;
      stream.write(line.slice(0, Math.max(20, (stream.columns ?? 80) - 1)));
      shown = true;
    },
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const ESCAPES = /\u001b\[[0-9;]*m/g;
const visibleLength = (text: string) => text.replace(ESCAPES, "").length;

/**
 * Aligns rows under their heads, two spaces apart; the last column is not padded. An empty table becomes the text `none`.
 * Control characters in foreign text are replaced, because a name must not move the cursor.
 */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  if (rows.length === 0) return none;
  const lines = [heads, ...rows].map((row) => row.map(printable));
  const widths = heads.map((_, column) =>
    Math.max(...lines.map((line) => visibleLength(line[column] ?? ""))),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === heads.length - 1 ? cell : cell + " ".repeat(widths[column]! - visibleLength(cell)),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for them.
const CONTROLS = /[\u0000-\u001a\u001c-\u001f\u007f-\u009f]|\u001b(?!\[[0-9;]*m)/g;

/** Foreign text on one line, without control characters; colours stay. */
export function printable(text: string): string {
  return text.replace(CONTROLS, "�");
}

/** `1.2 s`, `350 ms`, `3 min 20 s`, `2 h 5 min`. */
export function showDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
