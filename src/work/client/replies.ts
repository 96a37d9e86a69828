// Error replies in the form of NATS services: two headers that any client understands, and the catalogue's error in the body.
import { redactText } from "../../base/index.ts";
import {
  CONTENT_TYPES,
  type Encoding,
  ERROR_CATALOGUE,
  encode,
  HEADERS,
  type SwarmError,
} from "../../protocol/index.ts";

/** The body and headers of an error reply. */
export function errorReply(
  error: SwarmError,
  encoding: Encoding = "json",
): { body: Uint8Array; headers: Record<string, string> } {
  const message = redactText(error.message);
  return {
    body: encode({ error: { ...error.toWire(), message } }, encoding),
    headers: {
      [HEADERS.contentType]: CONTENT_TYPES[encoding],
      [HEADERS.serviceErrorCode]: String(ERROR_CATALOGUE[error.code].status),
      [HEADERS.serviceError]: message.replace(/\s+/g, " ").slice(0, 500),
    },
  };
}
