// The wanted state of a local swarm, in `wanted.json`: its roles with their counts, its coordinators, its HTTP port. `up` changes it,
// and the supervisor makes the processes fit. It outlives the supervisor: the next `up` without arguments starts the same swarm.
// I1: wanted.json is replaced as a whole, and only by the supervisor that holds the lock of the directory.
import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { SwarmError } from "../../../protocol/index.ts";
import { dataFiles } from "../state.ts";

const wantedSchema = z.object({
  version: z.literal(1),
  /** The number of processes of each role. */
  agents: z.record(z.string(), z.int().min(0)),
  coordinators: z.int().min(0),
  /** The number of engines; earlier versions kept none. */
  engines: z.int().min(0).optional(),
  /** The port of the HTTP API; null: a free one. */
  http: z.int().nullable(),
  /** The mark of the joined server (see {@link markServer}); null: a private server. */
  joined: z.string().nullable(),
});

/** The wanted state of a local swarm. */
export type Wanted = Omit<z.output<typeof wantedSchema>, "version" | "engines"> & {
  /** The number of engines that an `up` asked for; undefined: one where the project has workflows. */
  readonly engines?: number | undefined;
};

/** The arguments of one `up`. An undefined field leaves the wanted state as it is. */
export interface Asked {
  readonly agents?: Readonly<Record<string, number>> | undefined;
  readonly coordinators?: number | undefined;
  readonly engines?: number | undefined;
  /** 0: a free port. */
  readonly http?: number | undefined;
}

/** The roles of the first `up` of a directory. */
const FIRST_AGENTS: Readonly<Record<string, number>> = { echo: 1 };

/** The wanted state of a swarm that starts: the arguments, else the kept state, else the defaults. */
export function startWith(asked: Asked, kept: Wanted | null, joined: string | null): Wanted {
  // A kept number of coordinators belongs to its server: two coordinators of one id would take the office from each other.
  const keptCoordinators = kept?.joined === joined ? kept.coordinators : undefined;
  return {
    agents: { ...(asked.agents ?? kept?.agents ?? FIRST_AGENTS) },
    coordinators: asked.coordinators ?? keptCoordinators ?? (joined === null ? 1 : 0),
    engines: asked.engines ?? kept?.engines,
    http: toPort(asked.http, kept?.http ?? null),
    joined,
  };
}

/** The wanted state of a running swarm after another `up`. */
export function changeWanted(wanted: Wanted, asked: Asked): Wanted {
  return {
    agents: { ...(asked.agents ?? wanted.agents) },
    coordinators: asked.coordinators ?? wanted.coordinators,
    engines: asked.engines ?? wanted.engines,
    http: toPort(asked.http, wanted.http),
    joined: wanted.joined,
  };
}

function toPort(asked: number | undefined, kept: number | null): number | null {
  if (asked === undefined) return kept;
  return asked === 0 ? null : asked;
}

/** Counts a list of roles: `["echo", "echo"]` → `{ echo: 2 }`. */
export function countRoles(roles: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const role of roles) counts[role] = (counts[role] ?? 0) + 1;
  return counts;
}

/** The form of {@link countRoles} for a person: `echo*2, review`. */
export function showCounts(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  return parts.map(([role, count]) => (count === 1 ? role : `${role}*${count}`)).join(",") || "none";
}

/** A mark of a server's URLs that contains none of its credentials. */
export function markServer(servers: string): string {
  return createHash("sha256").update(servers).digest("hex").slice(0, 16);
}

/**
 * The kept wanted state of a data directory; null when no swarm ran there yet.
 * @throws SwarmError `internal` for a file of another version.
 */
export function readWanted(dataDir: string): Wanted | null {
  const { wanted: file } = dataFiles(dataDir);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
  try {
    const { version: _version, ...wanted } = wantedSchema.parse(JSON.parse(text));
    return wanted;
  } catch {
    throw new SwarmError(
      "internal",
      `${file} is not the wanted state of a swarm of this version; remove the file, and name the roles with murmur up --agents`,
    );
  }
}

/** Replaces the wanted state (I1). */
export function writeWanted(dataDir: string, wanted: Wanted): void {
  const { wanted: file } = dataFiles(dataDir);
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify({ version: 1, ...wanted }, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}
