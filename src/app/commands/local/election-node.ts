// `murmur debug election-node`: the election and office core on a pipe. Owns lines and streams only; consensus/node/election-node.ts
// interprets the lines.

import { isUtf8 } from "node:buffer";
import type { Readable, Writable } from "node:stream";
import { createElectionNode, MAX_LINE_BYTES } from "../../../consensus/index.ts";

const LINE_FEED = 0x0a;

/**
 * Answers every line of `stdin` with one line on `stdout`, until `stdin` ends or the reader closes `stdout`.
 * It keeps reading while the output is full, so that a harness may write all its lines before it reads any reply: the
 * replies then wait in memory.
 */
export async function runElectionNode(stdin: Readable, stdout: Writable): Promise<void> {
  const node = createElectionNode();
  const lines = createLineSplitter({
    onLine: (line) =>
      isUtf8(line) ? node.handleLine(line.toString("utf8")) : node.refuseLine("line is not UTF-8"),
    onLongLine: () => node.refuseLine(`line is longer than ${MAX_LINE_BYTES} bytes`),
  });
  let isClosed = false;
  stdout.on("error", () => {
    isClosed = true;
    stdin.destroy();
  });
  const write = (text: string) => {
    if (text !== "" && !isClosed) stdout.write(text);
  };
  await new Promise<void>((resolve, reject) => {
    stdin.on("data", (chunk: Buffer) => write(lines.take(chunk)));
    stdin.once("end", () => {
      write(lines.end());
      resolve();
    });
    stdin.once("close", resolve);
    stdin.once("error", reject);
  });
  if (!isClosed) await new Promise<void>((resolve) => stdout.write("", () => resolve()));
}

/** Cuts chunks into lines of at most MAX_LINE_BYTES, and returns the replies to them as text. */
function createLineSplitter(take: { onLine: (line: Buffer) => string; onLongLine: () => string }) {
  let parts: Buffer[] = [];
  let bytes = 0;

  /** Keeps a part of a line. For a line that is too long it keeps only the length. */
  const keep = (part: Buffer) => {
    bytes += part.length;
    if (bytes > MAX_LINE_BYTES) parts = [];
    else if (part.length > 0) parts.push(part);
  };
  const finish = () => {
    const isLong = bytes > MAX_LINE_BYTES;
    const line = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    parts = [];
    bytes = 0;
    return `${isLong ? take.onLongLine() : take.onLine(line)}\n`;
  };

  return {
    take(chunk: Buffer): string {
      let replies = "";
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
        keep(chunk.subarray(start, end));
        replies += finish();
        start = end + 1;
      }
      keep(chunk.subarray(start));
      return replies;
    },
    /** The last line may lack its line feed. */
    end: (): string => (bytes > 0 ? finish() : ""),
  };
}

if (import.meta.main) await runElectionNode(process.stdin, process.stdout);
