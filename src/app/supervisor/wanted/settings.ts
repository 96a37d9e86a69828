// The settings that the processes of a swarm got at their start, in a form that another `up` can compare with its own.
import { createHash } from "node:crypto";
import type { Sources } from "../../config.ts";
import { type Config, type SettingName, settingFacts } from "../../settings.ts";
import type { SettingView } from "./changes.ts";

/** The settings that the supervisor passes to its processes. The server, its credentials and the HTTP port are compared apart. */
const SWARM_SETTINGS: readonly SettingName[] = [
  "prefix",
  "permissionsFile",
  "replicas",
  "resultDays",
  "deadDays",
  "journalDays",
  "httpHost",
  "apiToken",
  "apiTokensFile",
  "logLevel",
  "drainGraceMs",
  "silenceMs",
  "heapMb",
  "sync",
  "execAllow",
  "execDirectories",
  "agentsDir",
  "workflowsDir",
];

/** The views of these settings. A secret is shown by a hash. */
export function viewSettings(config: Config, sources?: Sources): Record<string, SettingView> {
  return Object.fromEntries(
    SWARM_SETTINGS.map((name) => {
      const secret = settingFacts(name).secret === true;
      const text = JSON.stringify(config[name] ?? null);
      const value = secret ? createHash("sha256").update(text).digest("hex") : text;
      return [name, { value, secret, source: sources?.[name] ?? "default" }];
    }),
  );
}
