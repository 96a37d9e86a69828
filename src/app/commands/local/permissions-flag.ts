// The flag --permissions: the permissions file of a command.
import { z } from "zod";
import type { Ports } from "../../cli/command.ts";
import { resolveFrom } from "../../target.ts";

/** The permissions file of the working directory, when neither the flag nor the setting names another. */
const PERMISSIONS_FILE = "permissions.yaml";

export const permissionsFlag = z
  .string()
  .min(1)
  .optional()
  .meta({
    value: "FILE",
    description: `the permissions file (default: MURMUR_PERMISSIONS_FILE, else ${PERMISSIONS_FILE})`,
  });

/** The path of the permissions file: of the flag, of the setting, else the default. */
export function permissionsPath(
  ports: Pick<Ports, "config" | "directory">,
  named: string | undefined,
): string {
  return resolveFrom(ports.directory, named ?? ports.config.permissionsFile ?? PERMISSIONS_FILE);
}
