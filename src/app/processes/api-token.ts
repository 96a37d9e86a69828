// The token of the HTTP API: fixed, or the contents of a file that may be rotated while the process runs.
import type { Logger } from "../../base/index.ts";
import { toSwarmError } from "../../protocol/index.ts";
import { parseSetting, readSecretFile } from "../config.ts";
import type { Config } from "../settings.ts";

/** The age at which the file is read again, in ms: a rotated token counts within this time. */
const MAX_AGE_MS = 1_000;

/**
 * Returns a function that gives the token of now; undefined without a token. A file that can no longer be used keeps its last token,
 * and a log line says why, once for each reason.
 */
export function createApiToken(
  { apiToken, apiTokenFile }: Pick<Config, "apiToken" | "apiTokenFile">,
  { log, nowMs = () => performance.now() }: { log: Logger; nowMs?: () => number },
): () => string | undefined {
  if (apiTokenFile === undefined) return () => apiToken;
  let token = apiToken;
  let readAtMs = nowMs();
  let lastProblem: string | undefined;
  return () => {
    if (nowMs() - readAtMs < MAX_AGE_MS) return token;
    readAtMs = nowMs();
    try {
      const value = readSecretFile(apiTokenFile, "apiTokenFile");
      token = parseSetting("apiToken", { value, source: `file ${apiTokenFile}` });
      lastProblem = undefined;
    } catch (error) {
      const problem = toSwarmError(error).message;
      if (problem !== lastProblem)
        log.warn({ problem }, "the file of the API's token cannot be used; keeping the last token");
      lastProblem = problem;
    }
    return token;
  };
}
