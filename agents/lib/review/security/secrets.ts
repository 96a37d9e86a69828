// Finds secrets in any text file, with secretlint.
// I1: no part of a secret leaves this file. A message contains the rule's name, and the anchor a number; neither contains
//     text of the reviewed file.
import type { AnalysisTools, RawFinding, ReviewInput, Unjudged } from "../contract.ts";
import { isLockfile, isTest, lineCounter, readReviewed } from "../files.ts";
import { importAnalyser } from "../toolbox.ts";

interface Secretlint {
  lintSource(options: {
    source: { filePath: string; content: string; ext: string; contentType: "text" };
    options: {
      config: { rules: { id: string; rule: unknown }[] };
      noPhysicFilePath: boolean;
      maskSecrets: boolean;
    };
  }): Promise<{ messages: { ruleId: string; messageId: string; range: readonly [number, number] }[] }>;
}

const PRESET = "@secretlint/secretlint-rule-preset-recommend";
/** Placeholders that people write instead of a secret. */
const PLACEHOLDER =
  /example|placeholder|changeme|your[-_]?|user(?:name)?:pass|:(?:[a-z]{1,20}[-_]){0,3}(?:pass(?:word|wd)?|secret|pwd|token|hunter2)@|:(?:\*+|\.{3,}|…)@|<[^>]+>|\$\{|x{4,}|localhost|127\.0\.0\.1/i;
/**
 * A part of an address (user, password or host) that is a name in the brackets or signs of a template: `[PASSWORD]`, `{{host}}`, `%PW%`,
 * `__TOKEN__`, `$TOKEN`. An IPv6 address in brackets has colons, so it is none.
 */
const TEMPLATE_PART =
  /(?:\/\/|[:@])(?:\[[a-z][\w -]*\]|\{{1,2} ?[a-z][\w .-]* ?\}{1,2}|\([a-z][\w -]*\)|%[a-z]\w*%|__[a-z]\w*__|#\{[^}]+\}|\$[a-z]\w*)(?=[:@/?#]|$)/i;

/** Looks for secrets in every file of the input, except in npm's lockfiles. Returns the files that it could not read, too. */
export async function findSecrets(
  input: ReviewInput,
  tools: Pick<AnalysisTools, "signal">,
): Promise<{ findings: RawFinding[]; unjudged: Unjudged[] }> {
  const { lintSource } = await importAnalyser<Secretlint>("@secretlint/core");
  const { creator: rule } = await importAnalyser<{ creator: unknown }>(PRESET);
  const options = { config: { rules: [{ id: PRESET, rule }] }, noPhysicFilePath: true, maskSecrets: true };
  const findings: RawFinding[] = [];
  const unjudged: Unjudged[] = [];
  for (const file of input.files) {
    tools.signal.throwIfAborted();
    if (isLockfile(file)) continue;
    const read = await readReviewed(input.directory, file);
    if (!("text" in read)) unjudged.push(read.unjudged);
    if (!("text" in read) || read.text === "") continue;
    const content = read.text;
    const ext = /\.[^./]+$/.exec(file)?.[0] ?? "";
    const { messages } = await lintSource({
      source: { filePath: file, content, ext, contentType: "text" },
      options,
    });
    const lineAt = lineCounter(content);
    for (const { ruleId, messageId, range } of messages) {
      const isPassword = ruleId.includes("basicauth");
      if (isPassword && (isTest(file) || /\.mdx?$/.test(file))) continue;
      const found = content.slice(...range);
      if (PLACEHOLDER.test(found) || TEMPLATE_PART.test(found)) continue;
      findings.push({
        kind: "secret",
        rule: `${ruleId.replace(/^@secretlint\/secretlint-rule-/, "")}/${messageId}`,
        severity: isPassword ? "high" : "critical",
        file,
        line: lineAt(range[0]),
        message: `This looks like a real ${nameOf(ruleId)} (${words(messageId)}). Revoke it, then keep it in the environment or a secret store; it stays in the history.`,
        anchor: messageId.slice(0, 64),
      });
    }
  }
  return { findings, unjudged };
}

function nameOf(ruleId: string): string {
  const rule = ruleId.replace(/^@secretlint\/secretlint-rule-/, "");
  if (rule === "basicauth") return "password in a URL";
  if (rule === "privatekey") return "private key";
  return `${rule} credential`;
}

/** `AWSSecretAccessKey` → `AWS secret access key`. */
function words(messageId: string): string {
  return messageId
    .replace(/_/g, " ")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");
}
