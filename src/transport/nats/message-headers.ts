// Reads single headers of received messages, and tells messages without a body. The client would turn the whole header block into a map with canonical names
// before it can return one value. Most deliveries are asked for one header that is rarely present, so this file searches
// the text of the block instead.
import type { Msg } from "@nats-io/nats-core";

/** The private fields of the client's message (nats-core 3.4.0, `msg.ts`): headers and body are in one buffer. */
interface RawMessage {
  readonly _msg?: { readonly hdr?: number };
  readonly _rdata?: Uint8Array;
}

/** The memory of the latest message. All messages of one socket read share it, and a new view for each would be garbage. */
let memory = Buffer.alloc(0);

/** The header block as text, `NATS/1.0…\r\nName: value\r\n…\r\n\r\n`; null when the message has none. */
function headerText(message: Msg): string | null {
  const { _msg: lengths, _rdata: bytes } = message as unknown as RawMessage;
  const length = lengths?.hdr;
  if (length === undefined || bytes === undefined) return message.headers?.toString() ?? null;
  if (length <= 0) return null;
  if (memory.buffer !== bytes.buffer) memory = Buffer.from(bytes.buffer as ArrayBuffer);
  return memory.toString("utf8", bytes.byteOffset, bytes.byteOffset + length);
}

/** The status code of a message without a body, as JetStream sends it; 0 for every other message. */
export function statusOf(message: Msg): number {
  const { _msg: lengths, _rdata: bytes } = message as unknown as RawMessage;
  const length = lengths?.hdr;
  // `message.data` would make a new view of the bytes for each delivery and each reply.
  const isEmpty =
    length === undefined || bytes === undefined
      ? message.data.length === 0
      : bytes.length <= Math.max(0, length);
  return isEmpty ? (message.headers?.code ?? 0) : 0;
}

/** The message of the latest call, with its header text, also in lower case: callers often read several headers of one message. */
const latest: { message: Msg | null; text: string | null; lowerCase: string | null } = {
  message: null,
  text: null,
  lowerCase: null,
};

/** The first value of a header; undefined without such a header. Names match in any case. */
export function headerOf(message: Msg, name: string): string | undefined {
  if (latest.message !== message) {
    latest.message = message;
    latest.text = headerText(message);
    latest.lowerCase = null;
  }
  const { text } = latest;
  if (text === null) return undefined;
  const start = startOf(name);
  const found = findValue(text, text, start.exact);
  if (found !== undefined) return found;
  latest.lowerCase ??= text.toLowerCase();
  return findValue(text, latest.lowerCase, start.lowerCase);
}

/** The beginning of a header's line, with the line break before it. */
interface LineStart {
  readonly exact: string;
  readonly lowerCase: string;
}

/** The most names whose line starts are kept: more than Murmur and JetStream have. */
const MAX_STARTS = 256;
const starts = new Map<string, LineStart>();

function startOf(name: string): LineStart {
  let start = starts.get(name);
  if (start === undefined) {
    start = { exact: `\r\n${name}:`, lowerCase: `\r\n${name.toLowerCase()}:` };
    if (starts.size < MAX_STARTS) starts.set(name, start);
  }
  return start;
}

/** Searches a line in `searched`, which is `text` or its lower-case form, and returns the line's value from `text`. */
function findValue(text: string, searched: string, start: string): string | undefined {
  const at = searched.indexOf(start);
  if (at < 0 || searched.length !== text.length) return undefined;
  const from = at + start.length;
  const to = text.indexOf("\r\n", from);
  return text.slice(from, to < 0 ? text.length : to).trim();
}
