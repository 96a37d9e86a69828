// Messages inside the in-memory server, and subject filters. All files of this folder use them.
import { SwarmError } from "../../protocol/index.ts";
import type { Headers, Incoming } from "../ports.ts";

/** A published message. `reply` is the subject for the answer. */
export interface RawMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers | undefined;
  readonly reply?: string | undefined;
}

/**
 * Makes a message from copies, because the caller may reuse its buffer.
 * @throws SwarmError `invalid_input` for a line break in a header.
 */
export function makeMessage(
  subject: string,
  data: Uint8Array,
  headers: Headers | undefined,
  reply?: string,
): RawMessage {
  for (const name in headers) {
    if (/[\r\n]/.test(name) || /[\r\n]/.test(headers[name]!)) {
      throw new SwarmError("invalid_input", `header ${JSON.stringify(name)} must not contain a line break`, {
        field: "headers",
      });
    }
  }
  return {
    subject,
    data: new Uint8Array(data),
    headers: headers === undefined ? undefined : { ...headers },
    reply,
  };
}

/** The value of a header. The exact name wins; otherwise names match in any case. */
export function headerOf(message: { headers: Headers | undefined }, name: string): string | undefined {
  const { headers } = message;
  if (headers === undefined) return undefined;
  if (Object.hasOwn(headers, name)) return headers[name];
  const wanted = name.toLowerCase();
  for (const key in headers) if (key.toLowerCase() === wanted) return headers[key];
  return undefined;
}

/** The size that counts against limits, in bytes: subject, headers and body. */
export function sizeOf(message: RawMessage): number {
  let bytes = message.subject.length + message.data.length;
  for (const name in message.headers) bytes += name.length + message.headers[name]!.length + 4;
  return bytes;
}

/** The message as the port's type. */
export function toIncoming(message: RawMessage): Incoming {
  return { subject: message.subject, data: message.data, header: (name) => headerOf(message, name) };
}

/** Returns a function that tests whether a subject matches `filter`: `*` is one token, a last `>` one or more. */
export function compileFilter(filter: string): (subject: string) => boolean {
  if (!/(^|\.)[*>](\.|$)/.test(filter)) return (subject) => subject === filter;
  const wanted = filter.split(".");
  const isOpenEnded = wanted.at(-1) === ">";
  const fixed = isOpenEnded ? wanted.slice(0, -1) : wanted;
  return (subject) => {
    const tokens = subject.split(".");
    if (isOpenEnded ? tokens.length <= fixed.length : tokens.length !== fixed.length) return false;
    return fixed.every((token, index) => token === "*" || token === tokens[index]);
  };
}

/** True when a subject exists that matches both filters. */
export function filtersOverlap(one: string, other: string): boolean {
  const a = one.split(".");
  const b = other.split(".");
  for (let index = 0; ; index++) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined || right === undefined) return left === right;
    if (left === ">" || right === ">") return true;
    if (left !== right && left !== "*" && right !== "*") return false;
  }
}
