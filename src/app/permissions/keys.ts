// The keys of a swarm's users in one folder: `<user>.seed` for each user, readable by its owner alone, and `public-keys.json`, which
// is no secret: the servers' configuration is made from it. `api.token` is the bearer token of the HTTP API. Existing seeds and tokens
// are never replaced.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { tryJson } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { createUserSeed, publicKeyOf } from "../../transport/index.ts";

/** The file of public keys in a folder of keys. */
export const PUBLIC_KEYS_FILE = "public-keys.json";

/** The file of the API's token in a folder of keys. No user can have a dot in its name. */
const API_TOKEN_FILE = "api.token";
/** The random bytes of the token: 192 bits cannot be guessed. */
const API_TOKEN_BYTES = 24;

const publicKeysSchema = z.record(
  z.string(),
  z.string().regex(/^U[A-Z2-7]{55}$/, "must be a public NKEY of a user"),
);
/** The public key of each user. */
export type PublicKeys = Readonly<z.output<typeof publicKeysSchema>>;

/** The users whose seeds were made now, and those whose seeds were there. */
export interface MadeKeys {
  readonly created: readonly string[];
  readonly kept: readonly string[];
  /** Users whose seeds are in the folder, and that the permissions no longer name. Their files stay. */
  readonly unknown: readonly string[];
}

/** The file of a user's seed. */
export function seedFile(folder: string, user: string): string {
  return join(folder, `${user}.seed`);
}

/**
 * Makes the missing seeds of the users, and writes their public keys.
 * @throws SwarmError `invalid_input` for a file that is no seed; it is never replaced.
 */
export function makeKeys(folder: string, users: readonly string[]): MadeKeys {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const created: string[] = [];
  const kept: string[] = [];
  const keys: Record<string, string> = {};
  for (const user of users) {
    const file = seedFile(folder, user);
    try {
      writeFileSync(file, `${createUserSeed()}\n`, { mode: 0o600, flag: "wx" });
      created.push(user);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      kept.push(user);
    }
    keys[user] = publicKeyOfFile(file);
  }
  const before = Object.keys(readPublicKeys(folder) ?? {});
  replaceFile(join(folder, PUBLIC_KEYS_FILE), `${JSON.stringify(keys, null, 2)}\n`, 0o644);
  return { created, kept, unknown: before.filter((user) => !users.includes(user)) };
}

function publicKeyOfFile(file: string): string {
  const key = publicKeyOf(readFileSync(file, "utf8"));
  if (key !== null) return key;
  throw new SwarmError(
    "invalid_input",
    `${file} holds no seed of an NKEY user; put the right seed there, or move the file away and run the command again`,
    { field: "keys" },
  );
}

/** The public keys of a folder; null when there are none yet. @throws SwarmError `invalid_input` for a file that does not fit. */
export function readPublicKeys(folder: string): PublicKeys | null {
  const file = join(folder, PUBLIC_KEYS_FILE);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const parsed = publicKeysSchema.safeParse(tryJson(text));
  if (parsed.success) return parsed.data;
  const problem = parsed.error.issues[0];
  throw new SwarmError(
    "invalid_input",
    `${file}: ${problem?.path.join(".") || "the file"} ${problem?.message ?? "does not fit"}; murmur permissions secrets writes it`,
    { field: "keys" },
  );
}

/** @throws SwarmError `invalid_input` that names the users without a public key, and the command that makes them. */
export function requirePublicKeys(folder: string, users: readonly string[]): PublicKeys {
  const keys = readPublicKeys(folder) ?? {};
  const missing = users.filter((user) => !Object.hasOwn(keys, user));
  if (missing.length === 0) return keys;
  throw new SwarmError(
    "invalid_input",
    `${join(folder, PUBLIC_KEYS_FILE)} has no key of ${missing.join(", ")}; run murmur permissions secrets --keys ${folder}`,
    { field: "keys" },
  );
}

/** The seed of a user. Never log it. @throws the error of the file system. */
export function readSeed(folder: string, user: string): string {
  return readFileSync(seedFile(folder, user), "utf8").trim();
}

/** The token of the HTTP API, made once. Never log it. @throws the error of the file system. */
export function makeApiToken(folder: string): string {
  const file = join(folder, API_TOKEN_FILE);
  try {
    writeFileSync(file, `${randomBytes(API_TOKEN_BYTES).toString("base64url")}\n`, {
      mode: 0o600,
      flag: "wx",
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8").trim();
}

/** Replaces a file as a whole: a reader sees the old one or the new one. */
export function replaceFile(file: string, text: string, mode: number): void {
  const next = `${file}.${process.pid}`;
  writeFileSync(next, text, { mode });
  renameSync(next, file);
}
