// Answers one request to a coordinator: checks its size, decodes it, replies in its encoding, and turns a thrown error
// into an error reply. The two callers, server.ts and stale-server.ts, compute the answers.
import type { Logger } from "../../base/index.ts";
import {
  CONTENT_TYPES,
  decode,
  type Encoding,
  encode,
  HEADERS,
  SwarmError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { IncomingRequest } from "../../transport/index.ts";
import { errorReply } from "../../work/index.ts";

/** The largest request, in bytes. Commands are small, and one entry of the log must have room for several. */
const MAX_REQUEST_BYTES = 65_536;

/** Calls `answer` with the decoded body (`{}` for an empty request) and replies with the result. Never throws. */
export async function respondTo(
  request: IncomingRequest,
  log: Logger,
  answer: (body: unknown) => Promise<unknown> | unknown,
): Promise<void> {
  let encoding: Encoding = "json";
  try {
    if (request.data.length > MAX_REQUEST_BYTES) {
      throw new SwarmError(
        "payload_too_large",
        `expected a request of at most ${MAX_REQUEST_BYTES} bytes, got ${request.data.length}`,
      );
    }
    const body =
      request.data.length === 0
        ? { value: {}, encoding }
        : decode(request.data, request.header(HEADERS.contentType));
    encoding = body.encoding;
    const result = await answer(body.value);
    request.respond(encode(result, encoding), { [HEADERS.contentType]: CONTENT_TYPES[encoding] });
  } catch (error) {
    const failure = toSwarmError(error);
    if (failure.code === "internal")
      log.error({ err: error }, "request failed with an internal error; the caller gets an error reply");
    const { body, headers } = errorReply(failure, encoding);
    try {
      request.respond(body, headers);
    } catch (failed) {
      log.debug({ err: failed }, "reply not sent: the connection is closed"); // this process is stopping
    }
  }
}
