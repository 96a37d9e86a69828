// The tokens of an API that runs: those of the file of now (followed-file.ts).
import { readFile } from "node:fs/promises";
import type { Logger } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { type FileKind, FollowedFile, readFirst } from "../../followed-file.ts";
import { hashOfToken, parseTokens, type TokenEntry } from "./tokens-file.ts";

/** The entries of a file by the hash of their token. */
type Tokens = ReadonlyMap<string, TokenEntry>;

const TOKENS_KIND: FileKind<Tokens> = {
  name: "file of the API's tokens",
  gives: "tokens",
  read: readText,
  parse: (text, path) => new Map(parseTokens(text, path).map((entry) => [entry.sha256, entry])),
  members: (tokens) => tokens.keys(),
};

/** A file of tokens, and the tokens that count. */
export class FollowedTokens extends FollowedFile<Tokens> {
  /** Reads the file for the first time. @throws SwarmError `invalid_input`. */
  static async read(path: string, options: { log: Logger }): Promise<FollowedTokens> {
    return new FollowedTokens(await readFirst(TOKENS_KIND, path), options);
  }

  /** The entry of a token, which may have expired; undefined when the file has none, or has it no longer. */
  find(token: string): TokenEntry | undefined {
    return this.contents.get(hashOfToken(token)); // a caller cannot choose the digest, so the time of the look-up tells nothing
  }

  /** True while the file has this very entry, with the same rights. */
  has(entry: TokenEntry): boolean {
    const now = this.contents.get(entry.sha256);
    return now !== undefined && JSON.stringify(now) === JSON.stringify(entry);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new SwarmError(
      "invalid_input",
      `file ${path} of the API's tokens cannot be read (${why}); name it with MURMUR_API_TOKENS_FILE`,
      { field: "apiTokensFile", cause },
    );
  }
}
