// Removes secrets from free text: credentials in URLs and headers, fields whose names say that they are secret, tokens of
// known shapes, and the values of secret environment variables. Pure. Leaves the log's object keys to log.ts.

/** Each pattern keeps its first group, which names the secret, and removes the rest of the match. */
const SECRET_PATTERNS: readonly RegExp[] = [
  // nats://user:pass@host
  /(\/\/)[^/@\s]+(?=@)/g,
  // Bearer abc.def
  /(bearer\s+)[A-Za-z0-9._~+/=-]+/gi,
  // Authorization: Basic YWJj. A quote may be escaped, once or more often, where the text is a string in JSON.
  /(\bauthorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:basic|digest|token)\s+)?)(?!bearer\s|\[redacted\])[^\s"',;\\]+/gi,
  // password=…, "apiKey": "…", MY_TOKEN=…; the bound on the name keeps the time linear.
  /((?<![\w-])[\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)\\*["']?=\\*["']?)(?:[^\s"'&;,)\\]|\\(?!\\*["']))+/gi,
  /(["'][\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)\\*["']\s*:\s*\\*["'])(?:[^"'\\]|\\(?!\\*["']))+/gi,
  /(\b(?:password|passwd|secret|api[_-]?key):\s+\\*["']?)[^\s"',;)\\]+/gi,
  // -----BEGIN PRIVATE KEY-----
  /(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^-]+/g,
  // Tokens of GitHub, GitLab, Slack, AWS and model vendors; JSON Web Tokens; seeds of NATS keys.
  /()\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|sk-[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|S[UAONCX][A-Z2-7]{56})(?![\w-])/g,
];

/** The mark in the place of a secret. */
export const REDACTED = "[redacted]";

/**
 * Replaces secrets in free text with `[redacted]`.
 * @param values exact texts that are secret, see {@link listSecrets}.
 */
export function redactText(text: string, values: readonly string[] = []): string {
  let shown = text;
  for (const value of values) shown = shown.replaceAll(value, REDACTED);
  for (const pattern of SECRET_PATTERNS) shown = shown.replace(pattern, `$1${REDACTED}`);
  return shown;
}

/** A variable with such a name holds a secret. */
const SECRET_NAME =
  /pass(?:word|wd|phrase)?(?:_|$)|secret|token|api_?key|access_?key|private_?key|credential|nkey|jwt/i;
/** A shorter value is a word that also occurs in ordinary text. */
const SHORTEST_SECRET = 8;

/** The secret values of an environment, the longest first. Leaves out short values and paths of files with secrets. */
export function listSecrets(environment: Readonly<Record<string, string | undefined>>): string[] {
  const values = Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && value.length >= SHORTEST_SECRET && SECRET_NAME.test(name) && !/^[./~]/.test(value)
      ? [value]
      : [],
  );
  return [...new Set(values)].sort((one, other) => other.length - one.length);
}
