// The error of a failed connection to NATS, with the next step: wrong credentials, a certificate that does not fit, no server.
import { AuthorizationError, UserAuthenticationExpiredError } from "@nats-io/nats-core";
import { redactText } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/** `not_permitted` for credentials that the server rejects, which no repetition mends; `unavailable` for everything else. */
export function toConnectError(cause: unknown, servers: string[]): SwarmError {
  if (cause instanceof SwarmError) return cause;
  const message = redactText((cause as Error).message);
  // The server waited in vain for the credentials (2 s by default), as on a busy machine: it did not judge them.
  if (cause instanceof AuthorizationError && /authentication timeout/i.test(message))
    return new SwarmError(
      "unavailable",
      `NATS at ${servers.join(", ")} did not get the credentials of this process in time (${message}): try again; this machine or the server is very busy`,
    );
  if (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError) {
    return new SwarmError(
      "not_permitted",
      `NATS at ${servers.join(", ")} rejects these credentials (${message}): check user, token or credentials file`,
      { field: "credentials" },
    );
  }
  const next = nextStepOf(cause) ?? "start a server, or name another with --server or NATS_URL";
  const text = `cannot connect to NATS at ${servers.join(", ")} (${message}): ${next}`;
  return new SwarmError("unavailable", text);
}

/** The next step for a failure of TLS, by the code of Node.js (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
function nextStepOf(cause: unknown): string | undefined {
  for (
    let error = cause as NodeJS.ErrnoException | undefined, depth = 0;
    error != null && depth < 4;
    depth++
  ) {
    const { code = "" } = error;
    if (code === "CERT_HAS_EXPIRED") return "the certificate of the server has expired; renew it";
    if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
      return "the certificate of the server belongs to another host; connect to a name that it lists, or add this one to it";
    if (/^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(code))
      return "the certificate of the server is not signed by a known CA; give the CA of the servers (MURMUR_TLS_CA)";
    if (/^ERR_SSL_.*ALERT/.test(code))
      return "the server refuses the certificate of this process, or has other versions of TLS; check MURMUR_TLS_CERT and MURMUR_TLS_KEY";
    error = error.cause as NodeJS.ErrnoException | undefined;
  }
  return undefined;
}
