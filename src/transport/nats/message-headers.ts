// Headers of messages that came in. The client turns the whole block into a map, with each name made canonical, before
// it can answer for one; a delivery is asked for one header that is hardly ever there. So the text is searched instead.
import type { Msg } from "@nats-io/nats-core";

/** What the client's message holds beneath its interface (nats-core 3.4.0, `msg.ts`): headers and body in one buffer. */
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

/** The message that was asked last, with its text and that in lower case: what is asked once is mostly asked again at once. */
const last: { message: Msg | null; text: string | null; folded: string | null } = {
  message: null,
  text: null,
  folded: null,
};

/** The first value of a header, its name compared without case; undefined when it is not there. */
export function headerOf(message: Msg, name: string): string | undefined {
  if (last.message !== message) {
    last.message = message;
    last.text = headerText(message);
    last.folded = null;
  }
  const { text } = last;
  if (text === null) return undefined;
  const found = findValue(text, text, name);
  if (found !== undefined) return found;
  last.folded ??= text.toLowerCase();
  return findValue(text, last.folded, name.toLowerCase());
}

/** Searches `folded`, which is `text` or its lower-case form, and answers from `text`. */
function findValue(text: string, folded: string, name: string): string | undefined {
  const at = folded.indexOf(`\r\n${name}:`);
  if (at < 0 || folded.length !== text.length) return undefined;
  const from = at + name.length + 3;
  const to = text.indexOf("\r\n", from);
  return text.slice(from, to < 0 ? text.length : to).trim();
}
