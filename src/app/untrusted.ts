// The surroundings of a command that works in a directory that is not trusted: a review is often started inside the repository that
// it reads. Owns the parts of the working directory that such a command ignores.
// I1: no program, agent or setting comes from the working directory, unless a flag, a variable or `--config` names it.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { trustedPath } from "../../workflows/review/index.ts";
import type { Ports } from "./cli/command.ts";
import { CONFIG_FILE } from "./config.ts";
import type { Config, SettingName } from "./settings.ts";
import { dataFiles } from "./supervisor/state.ts";

/** The settings that are paths. Processes with another working directory need them absolute. */
const PATH_SETTINGS = [
  "creds",
  "nkeyFile",
  "passwordFile",
  "tlsCa",
  "tlsCert",
  "tlsKey",
  "serverFile",
  "apiTokenFile",
  "apiTokensFile",
] as const satisfies readonly SettingName[];

/** The PATH when no folder of the caller's PATH can be trusted. */
const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Returns ports whose PATH leads outside of `directory` and whose paths are absolute. */
export function withTrustedPaths(ports: Ports, directory: string): Ports {
  const { environment } = ports;
  const folders = trustedPath(environment.PATH, directory);
  const analysers = environment.MURMUR_ANALYSERS_DIR ?? "";
  const config: Config = { ...ports.config };
  for (const name of PATH_SETTINGS) {
    const path = config[name];
    if (path !== undefined) config[name] = resolve(ports.directory, path);
  }
  return {
    ...ports,
    config,
    environment: {
      ...environment,
      PATH: folders.length === 0 ? SYSTEM_PATH : folders.join(delimiter),
      ...(analysers === "" ? {} : { MURMUR_ANALYSERS_DIR: resolve(ports.directory, analysers) }),
    },
  };
}

/** The user's own folder, in place of the working directory: its `.murmur/bin` may hold a nats-server. */
export function userFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const cache = environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), ".cache");
  return join(cache, "murmur");
}

/** The parts of the working directory that other commands read, and this command has ignored. */
export function listIgnored(
  ports: Pick<Ports, "config" | "directory" | "sources">,
  used: { swarm: boolean },
): string[] {
  const isNamed = Object.values(ports.sources).some((source) => source.startsWith("file"));
  const { agentsDir, data } = ports.config;
  const ignored = [
    ...(isNamed ? [] : [CONFIG_FILE]),
    ...(ports.sources.agentsDir === "default" ? [agentsDir] : []),
    ...(used.swarm ? [] : [dataFiles(data).state]),
  ];
  return ignored.filter((path) => existsSync(resolve(ports.directory, path)));
}
