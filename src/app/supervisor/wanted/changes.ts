// Compares a running swarm with the swarm that an `up` asks for. Pure: the supervisor gives the facts and performs the changes.
import type { Wanted } from "./wanted.ts";

/** The role of an engine. */
export const ENGINE_ROLE = "engine";

/** One process of an agent or an engine by its place: the role, and the number within the role. */
export interface Place {
  readonly role: string;
  readonly number: number;
}

/** The steps from the running processes to the wanted ones. */
export interface Changes {
  /** Processes of agents and engines to start. They take the lowest free numbers of their role. */
  readonly add: readonly Place[];
  /** Processes of agents and engines to end. The highest numbers of a role go first. */
  readonly remove: readonly Place[];
  /** All coordinators must start anew: each of them knows the ids of all. */
  readonly renewCoordinators: boolean;
  /** The api must start anew on another port. */
  readonly renewApi: boolean;
}

/** The running processes, as far as an `up` can change them. */
export interface Running {
  /** The processes of agents and engines. */
  readonly agents: readonly Place[];
  readonly coordinators: number;
  /** The port of the api; null without an api process. */
  readonly http: number | null;
}

/** Decides the steps from the running processes to the wanted ones. */
export function decideChanges(running: Running, wanted: Wanted): Changes {
  const add: Place[] = [];
  const remove: Place[] = [];
  // An engine is known by its number, as an agent is; an `up` that names no number of engines leaves them as they are.
  const counts =
    wanted.engines === undefined ? wanted.agents : { ...wanted.agents, [ENGINE_ROLE]: wanted.engines };
  const roles = new Set([...running.agents.map(({ role }) => role), ...Object.keys(counts)]);
  for (const role of roles) {
    if (role === ENGINE_ROLE && wanted.engines === undefined) continue;
    const numbers = running.agents.filter((place) => place.role === role).map(({ number }) => number);
    const count = counts[role] ?? 0;
    const surplus = numbers.sort((a, b) => b - a).slice(0, Math.max(0, numbers.length - count));
    remove.push(...surplus.map((number) => ({ role, number })));
    for (let number = 1, missing = count - numbers.length; missing > 0; number++) {
      if (numbers.includes(number)) continue;
      add.push({ role, number });
      missing--;
    }
  }
  return {
    add,
    remove,
    renewCoordinators: running.coordinators !== wanted.coordinators,
    renewApi: running.http !== null && wanted.http !== null && running.http !== wanted.http,
  };
}

/** A setting as its owner has it. The value is JSON, or a hash for a secret. */
export interface SettingView {
  readonly value: string;
  readonly secret: boolean;
  /** The source, as in `Sources`: `flag --prefix`, `environment …`, `file …`, `default`. */
  readonly source: string;
}

/** A difference between the running swarm and the caller's request that the supervisor cannot remove by itself. */
export interface Difference {
  readonly kind: "setting" | "server" | "program" | "code" | "process";
  /** The setting, the role or the process. */
  readonly name: string;
  readonly detail: string;
  /** The command that applies it. */
  readonly apply: string;
  /** True when the caller asked for it by name, so that the swarm is not as the caller asked. */
  readonly asked: boolean;
}

const RENEW = "murmur down, then murmur up";

/** The differences between the settings of the caller and those of the running swarm. */
export function compareSettings(
  running: Readonly<Record<string, SettingView>>,
  caller: Readonly<Record<string, SettingView>>,
): Difference[] {
  return Object.entries(caller).flatMap(([name, mine]) => {
    const theirs = running[name];
    if (theirs === undefined || theirs.value === mine.value) return [];
    const values = mine.secret ? "" : `: ${theirs.value} runs, this up has ${mine.value}`;
    return [
      {
        kind: "setting" as const,
        name,
        detail: `${name} differs${values} (${mine.source})`,
        apply: RENEW,
        asked: mine.source !== "default",
      },
    ];
  });
}

/** Compares the server that an `up` names with the server of the running swarm. `joined` as in {@link Wanted}. */
export function compareServer(running: string | null, asked: string | null): Difference[] {
  if (asked === null || asked === running) return [];
  const detail = `the swarm runs on ${running === null ? "its private server" : "another server"}, not on the named one`;
  return [
    {
      kind: "server",
      name: "server",
      detail,
      apply: `${RENEW} --server URL; or another --data directory`,
      asked: true,
    },
  ];
}

/** The most files that a text names. */
const SHOWN_FILES = 3;

/** Names a few files: `a.ts, b.ts and 3 more`. */
export function showFiles(files: readonly string[]): string {
  const shown = files.slice(0, SHOWN_FILES).join(", ");
  return files.length > SHOWN_FILES ? `${shown} and ${files.length - SHOWN_FILES} more` : shown;
}

/** The difference of a role whose files changed after its processes started. */
export function codeDifference(role: string, files: readonly string[]): Difference {
  return {
    kind: "code",
    name: role,
    detail: `the code of ${role} is newer than its processes (${showFiles(files)})`,
    apply: `murmur restart ${role}`,
    asked: false,
  };
}

/** The difference of a Murmur that was changed or upgraded after the supervisor started. */
export function programDifference(running: string, caller: string): Difference {
  const versions = running === caller ? `its files changed, version ${caller}` : `${caller}; ${running} runs`;
  return {
    kind: "program",
    name: "murmur",
    detail: `Murmur itself is newer than the supervisor (${versions})`,
    apply: RENEW,
    asked: false,
  };
}

/** The difference of a process that the supervisor does not restart any more. */
export function failedDifference(name: string, role: string, lastExit: string | null): Difference {
  return {
    kind: "process",
    name,
    detail: `${name} died too often and is not restarted any more (${lastExit ?? "unknown"})`,
    apply: `murmur logs ${name}, then murmur restart ${role}`,
    asked: true,
  };
}
