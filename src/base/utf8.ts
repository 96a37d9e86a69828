// Text as UTF-8 bytes and back: one encoder and one decoder for the process.
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the UTF-8 bytes of `text`. */
export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Returns the text of UTF-8 bytes. A malformed sequence becomes U+FFFD; code that must reject it uses a fatal decoder. */
export function utf8Text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
