// Reads JSON that may be none, such as the answer of an unknown peer.

/** Parses a text; undefined for a text that is no JSON. */
export function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
