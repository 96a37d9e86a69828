// The trace of a failure: the stack of the error and of its causes as one bounded text without secrets, with paths relative
// to the project. Pure. The journal, the dead letter and the log keep it; no result, event or reply contains it.
import { utf8Bytes, utf8Text } from "../utf8.ts";
import { redactText } from "./redact.ts";

/** The longest trace, in bytes of UTF-8: about 80 frames. A journal record must stay far below the largest message. */
export const TRACE_LIMIT_BYTES = 8 * 1024;
/** The longest message of an error that leaves its process, in bytes of UTF-8. */
export const MESSAGE_LIMIT_BYTES = 4 * 1024;
/** The longest end of a program's output in a trace, in bytes of UTF-8: the last 20 to 30 lines. */
export const OUTPUT_TAIL_BYTES = 2 * 1024;
/** The most errors of one trace: a longer chain of causes is cut, and the trace says so. */
const MAX_ERRORS = 8;
/**
 * A longer text is cut before it is redacted, which bounds the time. The later cut to {@link TRACE_LIMIT_BYTES} removes the
 * neighbourhood of this cut, and with it a secret that this cut split.
 */
const RAW_LIMIT_BYTES = 64 * 1024;

/** The facts of a process that its traces need. */
export interface TraceFacts {
  /** The absolute path of the project; paths below it are shown relative to it. */
  readonly root: string;
  /** The absolute path of the user's home, shown as `~`; undefined when it is unknown. */
  readonly home?: string | undefined;
  /** The absolute path of Murmur itself, shown as `murmur/` where it is outside the project. */
  readonly runtime?: string | undefined;
  /** Texts that are secret, see `listSecrets`. */
  readonly secrets: readonly string[];
}

/** Returns the trace of a thrown value. It never throws, whatever the value's properties do. */
export function traceOf(thrown: unknown, facts: TraceFacts): string {
  const parts: string[] = [];
  const outputs: string[] = [];
  const open: { thrown: unknown; label: string }[] = [{ thrown, label: "" }];
  const seen = new Set<unknown>();
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    if (seen.has(next.thrown)) continue;
    if (seen.size >= MAX_ERRORS) {
      parts.push(`${open.length + 1} further errors are not shown`);
      break;
    }
    seen.add(next.thrown);
    const { text, causes, output } = readThrown(next.thrown, seen);
    if (output !== "") outputs.push(`the end of the program's output:\n${output}`);
    // A wrapper whose cause has the same message adds nothing: the cause has the better stack.
    if (text !== null) parts.push(`${next.label}${text}`);
    open.push(...(text === null ? causes.map((cause) => ({ ...cause, label: next.label })) : causes));
  }
  return showText([...parts, ...outputs].join("\n"), facts, TRACE_LIMIT_BYTES);
}

/** Returns a text as it may leave the process: without secrets, with relative paths, at most `limitBytes` long. */
export function showText(text: string, facts: TraceFacts, limitBytes: number = MESSAGE_LIMIT_BYTES): string {
  const raw = cutMiddle(text, RAW_LIMIT_BYTES);
  const shown = shortenPaths(redactText(raw.text, facts.secrets), facts);
  return cutMiddle(shown, limitBytes, raw.cutBytes).text;
}

interface Cause {
  thrown: unknown;
  label: string;
}

interface ReadError {
  /** The stack; null for a wrapper. */
  text: string | null;
  causes: Cause[];
  /** The end of the output of the program that failed. */
  output: string;
}

function readThrown(thrown: unknown, seen: ReadonlySet<unknown>): ReadError {
  try {
    if (!(thrown instanceof Error))
      return { text: `a thrown value, not an Error: ${show(thrown)}`, causes: [], output: "" };
    const { cause, message } = thrown;
    const causes: Cause[] = cause === undefined ? [] : [{ thrown: cause, label: "caused by: " }];
    if (thrown instanceof AggregateError)
      causes.push(...thrown.errors.map((each: unknown) => ({ thrown: each, label: "one of: " })));
    const output = "outputTail" in thrown && typeof thrown.outputTail === "string" ? thrown.outputTail : "";
    const isWrapper = causes.length === 1 && !seen.has(cause) && isSameText(cause, message);
    if (isWrapper) return { text: null, causes, output };
    const stack = typeof thrown.stack === "string" ? thrown.stack : `${thrown.name}: ${message}`;
    return { text: stack, causes, output };
  } catch {
    return { text: "a thrown value whose properties cannot be read", causes: [], output: "" };
  }
}

function isSameText(cause: unknown, message: string): boolean {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text === message || redactText(text) === message;
}

function show(value: unknown): string {
  if (typeof value === "string") return value;
  return (typeof value === "object" ? JSON.stringify(value) : undefined) ?? String(value);
}

/** Replaces the paths of the project, of Murmur and of the home, as paths and as `file:` URLs. */
function shortenPaths(text: string, { root, home, runtime }: TraceFacts): string {
  let shown = text;
  for (const [path, short] of [
    [root, ""],
    [runtime, "murmur/"],
    [home, "~/"],
  ] as const) {
    if (path === undefined || path.length < 2) continue;
    const folder = path.endsWith("/") ? path : `${path}/`;
    for (const prefix of [`file://${encodeURI(folder)}`, `file://${folder}`, folder])
      shown = shown.replaceAll(prefix, short);
  }
  return shown;
}

/**
 * Cuts a text to `limitBytes` of UTF-8 from its middle, because the beginning names the error and the end the innermost
 * cause. A mark says the number of bytes that were cut, with `cutBefore` bytes of an earlier cut.
 */
export function cutMiddle(
  text: string,
  limitBytes: number,
  cutBefore = 0,
): { text: string; cutBytes: number } {
  if (text.length * 3 <= limitBytes) return { text, cutBytes: 0 };
  const bytes = utf8Bytes(text);
  if (bytes.length <= limitBytes) return { text, cutBytes: 0 };
  const room = limitBytes - utf8Bytes(cutMark(bytes.length + cutBefore)).length;
  const headEnd = characterStart(bytes, Math.ceil(room / 2));
  let tailStart = bytes.length - Math.floor(room / 2);
  while (isContinuation(bytes[tailStart])) tailStart++;
  const cutBytes = tailStart - headEnd;
  const [head, tail] = [bytes.subarray(0, headEnd), bytes.subarray(tailStart)];
  return { text: `${utf8Text(head)}${cutMark(cutBytes + cutBefore)}${utf8Text(tail)}`, cutBytes };
}

/** The last `limitBytes` of a text, in UTF-8. */
export function cutHead(text: string, limitBytes: number): string {
  const bytes = utf8Bytes(text.slice(-limitBytes));
  let start = Math.max(0, bytes.length - limitBytes);
  while (isContinuation(bytes[start])) start++;
  return utf8Text(bytes.subarray(start));
}

const cutMark = (bytes: number) => `\n… ${bytes} bytes cut …\n`;
const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;

/** The start of the character that the byte at `index` belongs to. */
function characterStart(bytes: Uint8Array, index: number): number {
  let start = index;
  while (start > 0 && isContinuation(bytes[start])) start--;
  return start;
}
