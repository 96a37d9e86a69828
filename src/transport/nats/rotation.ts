// Follows the files that a connection authenticates with: credentials, keys, certificates. When their contents change, the
// connection is made anew, so that a rotated file counts within seconds and no process has to restart.
// I1: files that cannot be used keep the connection that stands; the reason is logged once for each state of the files.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { TlsOptions } from "@nats-io/nats-core";
import { type Chance, type Logger, systemChance } from "../../base/index.ts";
import type { Subscription } from "../ports.ts";

/** The time between two looks at the files, in ms. With the jitter and a handshake a change counts within 5 s. */
export const FILES_INTERVAL_MS = 2_000;
/** The longest wait before the new connection, in ms: the processes of a swarm share their files and must not all connect at once. */
const MAX_JITTER_MS = 1_000;

/** Facts about the files of one connection. */
export interface RotatedFiles {
  readonly files: readonly string[];
  /** @throws for contents that no handshake can use, for example a key that does not fit its certificate. */
  check(): void;
}

/** Calls `onChange` after the contents of the files changed into usable ones. Starts with the contents of now. */
export function followFiles(
  { files, check }: RotatedFiles,
  options: { log: Logger; onChange: () => void; chance?: Chance },
): Subscription {
  const { log, onChange, chance = systemChance } = options;
  if (files.length === 0) return { close: () => undefined };
  let used = digestOf(files);
  /** The last contents that were refused. */
  let refused: string | undefined;
  let jitter: NodeJS.Timeout | undefined;
  const look = () => {
    const found = digestOf(files);
    if (found === used || found === refused) return;
    try {
      check();
    } catch (err) {
      refused = found; // I1
      log.warn(
        { err, files },
        "the files of the NATS connection changed and cannot be used; keeping the connection",
      );
      return;
    }
    used = found;
    refused = undefined;
    log.info({ files }, "the files of the NATS connection changed; connecting anew");
    clearTimeout(jitter);
    jitter = setTimeout(onChange, chance.next() * MAX_JITTER_MS);
  };
  const timer = setInterval(look, FILES_INTERVAL_MS);
  timer.unref();
  return {
    close: () => {
      clearInterval(timer);
      clearTimeout(jitter);
    },
  };
}

/** The files that TLS options name. */
export function tlsFiles({ certFile, keyFile, caFile }: TlsOptions): string[] {
  return [certFile, keyFile, caFile].filter((file) => file !== undefined);
}

/** @throws for files that cannot be read, are no certificate or key, or do not fit together. */
export function checkTlsFiles({ certFile, keyFile, caFile }: TlsOptions): void {
  createSecureContext({
    ...(certFile === undefined ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === undefined ? {} : { key: readFileSync(keyFile) }),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
  });
}

/** One digest of all contents. A missing or unreadable file counts as a content of its own. */
function digestOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) {
    try {
      const contents = readFileSync(file);
      hash.update(`${contents.length}:`).update(contents);
    } catch (error) {
      hash.update(`${(error as NodeJS.ErrnoException).code ?? "unreadable"};`);
    }
  }
  return hash.digest("base64");
}
