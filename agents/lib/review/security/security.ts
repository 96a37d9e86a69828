// Checks security: secrets (secrets.ts), risky code (code.ts) and lockfiles (lockfile.ts).
import type { Analysis } from "../contract.ts";
import { onePerFile } from "../files.ts";
import { findRiskyCode } from "./code.ts";
import { checkLockfile } from "./lockfile.ts";
import { findSecrets } from "./secrets.ts";

/** Looks for committed secrets, code that lets an attacker in, and lockfiles that cannot be trusted. */
export const security: Analysis = async (input, tools) => {
  const secrets = await findSecrets(input, tools);
  const code = await findRiskyCode(input, tools);
  const findings = [...secrets.findings, ...code.findings];
  const unjudged = [...secrets.unjudged, ...code.unjudged];
  for (const file of input.files) {
    tools.signal.throwIfAborted();
    if (file === "package.json" || file.endsWith("/package.json")) {
      const lockfile = await checkLockfile(input.directory, file);
      findings.push(...lockfile.findings);
      unjudged.push(...lockfile.unjudged);
    }
  }
  return { findings, unsure: [], unjudged: onePerFile(unjudged) };
};
