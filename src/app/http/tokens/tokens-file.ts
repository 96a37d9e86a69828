// The text of a file of API tokens: its schema, its reader, and new tokens. The file has the hash of each token and never the token.
import { createHash, randomBytes } from "node:crypto";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { findFaults, nameSchema, SwarmError, timeSchema } from "../../../protocol/index.ts";
import { ACCESS_LEVELS } from "../../operations/operation.ts";

/** The most tokens of a file. A larger file is probably another one. */
const MAX_TOKENS = 10_000;
/** The largest file, in characters: room for that many tokens with their capabilities. */
const MAX_FILE_LENGTH = 4 * 1024 * 1024;
/** The default rate of a token, in requests a second: a bound against a program that runs wild. */
export const DEFAULT_RATE_PER_SECOND = 500;
const MAX_RATE_PER_SECOND = 100_000;
/** The random bytes of a token: 256 bits cannot be guessed, so its hash needs no salt and no slow function. */
const TOKEN_BYTES = 32;
/** The start of each token, so that scanners for secrets find one in a log or a repository. */
const TOKEN_START = "murmur_";

const entrySchema = z.strictObject({
  /** The name of the caller in the audit log and in histories. */
  name: nameSchema,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be the SHA-256 of the token in lower-case hex"),
  /** The operations that the caller may call: `read` < `submit` < `operate` < `admin`. */
  access: z.enum(ACCESS_LEVELS),
  /** The capabilities whose tasks the caller may touch; default all. */
  capabilities: z.array(nameSchema).min(1).max(1_000).optional(),
  /** The groups of the caller, which approvals of workflows name; default none. */
  groups: z.array(nameSchema).max(1_000).optional(),
  /** From this time on the API refuses the token; default never. */
  expires: timeSchema.optional(),
  ratePerSecond: z.number().min(0.1).max(MAX_RATE_PER_SECOND).default(DEFAULT_RATE_PER_SECOND),
});

const fileSchema = z.strictObject({ tokens: z.array(entrySchema).max(MAX_TOKENS) });

/** One line of the file. */
export type TokenEntry = z.output<typeof entrySchema>;

/** The tokens of a text. @throws SwarmError `invalid_input` that names file and field; the error shows no hash. */
export function parseTokens(text: string, path: string): TokenEntry[] {
  const refuse = (field: string, problem: string): never => {
    throw new SwarmError("invalid_input", `${path}: ${field === "" ? "the file" : field} ${problem}`, {
      field: field === "" ? "apiTokensFile" : field,
    });
  };
  if (text.length > MAX_FILE_LENGTH) refuse("", `must have at most ${MAX_FILE_LENGTH} characters`);
  let value: unknown;
  try {
    value = parseYaml(text, { maxAliasCount: 0 });
  } catch (error) {
    refuse("", `must be YAML: ${(error as Error).message.split("\n")[0]}`);
  }
  const [fault] = findFaults(fileSchema, value ?? {});
  if (fault !== undefined) {
    const isSecret = fault.field.endsWith("sha256");
    refuse(fault.field, isSecret ? "must be the SHA-256 of the token in lower-case hex" : fault.text);
  }
  const { tokens } = fileSchema.parse(value);
  for (const field of ["name", "sha256"] as const) {
    const seen = new Map<string, number>();
    for (const [at, entry] of tokens.entries()) {
      const first = seen.get(entry[field]);
      if (first !== undefined) refuse(`tokens.${at}.${field}`, `is that of tokens.${first}, too`);
      seen.set(entry[field], at);
    }
  }
  return tokens;
}

/** The hash of a token, as the file has it. */
export function hashOfToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Makes a token. It is shown once, and stored nowhere. */
export function newToken(): string {
  return `${TOKEN_START}${randomBytes(TOKEN_BYTES).toString("base64url")}`;
}

/** The line of a token for the file, below `tokens:`. */
export function renderEntry(
  entry: Omit<TokenEntry, "ratePerSecond"> & { ratePerSecond?: number | undefined },
): string {
  const { name, sha256, access, capabilities, groups, expires, ratePerSecond } = entry;
  const fields = [
    `name: ${name}`,
    `access: ${access}`,
    ...(capabilities === undefined ? [] : [`capabilities: [${capabilities.join(", ")}]`]),
    ...(groups === undefined ? [] : [`groups: [${groups.join(", ")}]`]),
    ...(expires === undefined ? [] : [`expires: "${expires}"`]),
    ...(ratePerSecond === undefined ? [] : [`ratePerSecond: ${ratePerSecond}`]),
    `sha256: ${sha256}`,
  ];
  return `  - { ${fields.join(", ")} }`;
}
