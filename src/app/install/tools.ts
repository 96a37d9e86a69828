// The tools of one command, found or installed before its work starts: nats-server, and the packages of the analysers.
import { OLDEST_SERVER, SwarmError } from "../../protocol/index.ts";
import type { Ports } from "../cli/command.ts";
import { PACKAGE_ROOT } from "../own-package.ts";
import { isUsable, provideNatsServer } from "./nats-server.ts";
import { findPrograms } from "./program.ts";

/** The part of a command's ports that installing needs. */
export type InstallPorts = Pick<
  Ports,
  "config" | "sources" | "environment" | "directory" | "terminal" | "signal"
>;

/**
 * The nats-server binary for a command that starts one: the binary that the setting `natsServer` names, else as
 * {@link provideNatsServer} finds or installs it.
 * @throws SwarmError `unavailable` when the named one cannot be used, or none could be installed.
 */
export async function natsServerFor(ports: InstallPorts): Promise<string> {
  const { config, sources, environment, directory, terminal, signal } = ports;
  if (sources.natsServer !== "default") {
    for (const file of findPrograms(config.natsServer, environment)) {
      if (await isUsable(file, { environment, signal })) return file;
    }
    throw new SwarmError(
      "unavailable",
      `${sources.natsServer} names ${config.natsServer}, which is not a nats-server ≥ ${OLDEST_SERVER}: unset it, so that Murmur finds or installs one, or name another`,
    );
  }
  return provideNatsServer({
    environment,
    directory,
    packageRoot: PACKAGE_ROOT,
    releases: config.natsReleases,
    say: (line) => terminal.say(line),
    signal,
  });
}
