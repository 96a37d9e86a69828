// Reads single headers of received messages. The client would turn the whole header block into a map with canonical names
// before it can return one value. Most deliveries are asked for one header that is rarely present, so this file searches
// the text of the block instead.
import type { Msg } from "@nats-io/nats-core";

/** The private fields of the client's message (nats-core 3.4.0, `msg.ts`): headers and body are in one buffer. */
interface RawMessage {
  readonly _msg?: { readonly hdr?: number };
  readonly _rdata?: Uint8Array;
}

/** The header block as text, `NATS/1.0…\r\nName: value\r\n…\r\n\r\n`; null when the message has none. */
function headerText(message: Msg): string | null {
  const { _msg: lengths, _rdata: bytes } = message as unknown as RawMessage;
  const length = lengths?.hdr;
  if (length === undefined || bytes === undefined) return message.headers?.toString() ?? null;
  if (length <= 0) return null;
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("utf8");
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
  const found = findValue(text, text, name);
  if (found !== undefined) return found;
  latest.lowerCase ??= text.toLowerCase();
  return findValue(text, latest.lowerCase, name.toLowerCase());
}

/** Searches `name` in `searched`, which is `text` or its lower-case form, and returns the value from `text`. */
function findValue(text: string, searched: string, name: string): string | undefined {
  const at = searched.indexOf(`\r\n${name}:`);
  if (at < 0 || searched.length !== text.length) return undefined;
  const from = at + name.length + 3;
  const to = text.indexOf("\r\n", from);
  return text.slice(from, to < 0 ? text.length : to).trim();
}
