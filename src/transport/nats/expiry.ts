// The ends of the credentials that a connection uses: of the token in a credentials file, and of its TLS certificate. Keeps
// `murmur_credentials_expiry_seconds`, so that a page comes before the connection fails.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsOptions } from "@nats-io/nats-core";
import { type Meter, tryJson, utf8Text } from "../../base/index.ts";
import type { Subscription } from "../ports.ts";

/** The time between two looks, in ms: files may be rotated, and the value is for warnings days ahead. */
const EXPIRY_LOOK_MS = 10_000;

/** The files with an end. */
export interface ExpiringFiles {
  /** A credentials file of NATS, with a token and a seed. */
  readonly credentialsFile?: string | undefined;
  readonly tls?: Pick<TlsOptions, "cert" | "certFile"> | undefined;
}

/** The ends of credentials by kind, in Unix ms. Credentials without an end, and unreadable ones, are left out. */
export function readExpiries({ credentialsFile, tls }: ExpiringFiles): { kind: string; atMs: number }[] {
  const token = credentialsFile === undefined ? undefined : readQuietly(credentialsFile);
  const certificate = tls?.certFile === undefined ? tls?.cert : readQuietly(tls.certFile);
  const found = [
    { kind: "user", atMs: token === undefined ? null : endOfToken(token) },
    { kind: "certificate", atMs: certificate === undefined ? null : endOfCertificate(certificate) },
  ];
  return found.flatMap(({ kind, atMs }) => (atMs === null ? [] : [{ kind, atMs }]));
}

/** Keeps the gauge until it is closed. */
export function followExpiries(
  files: ExpiringFiles,
  meter: Pick<Meter, "credentialsExpirySeconds">,
): Subscription {
  if (files.credentialsFile === undefined && files.tls === undefined) return { close: () => undefined };
  const look = () =>
    meter.credentialsExpirySeconds.replace(
      readExpiries(files).map(({ kind, atMs }) => ({ labels: { kind }, value: (atMs - Date.now()) / 1_000 })),
    );
  look();
  const timer = setInterval(look, EXPIRY_LOOK_MS);
  timer.unref();
  return { close: () => clearInterval(timer) };
}

function readQuietly(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // rotation.ts logs it
  }
}

/** The end of the JWT of a credentials file (`exp`, in seconds: RFC 7519 §4.1.4); null without one. */
function endOfToken(contents: string): number | null {
  const token = /-+BEGIN NATS USER JWT-+\s+([\w.-]+)/.exec(contents)?.[1]?.split(".")[1];
  if (token === undefined) return null;
  const claims = tryJson(utf8Text(Buffer.from(token, "base64url"))) as { exp?: unknown } | undefined;
  return typeof claims?.exp === "number" && claims.exp > 0 ? claims.exp * 1_000 : null;
}

function endOfCertificate(pem: string): number | null {
  try {
    return Date.parse(new X509Certificate(pem).validTo);
  } catch {
    return null;
  }
}
