// The house rules as data. docs/architecture.md (section 2) and CONTRIBUTING.md say the same in prose. A new arrow or exception
// is a decision; the commit gives the reason.

/** The rooms of src/ from the bottom up, each with the rooms that it may import. Planned rooms have no line. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  protocol: ["base"],
  consensus: ["base", "protocol"],
  transport: ["base", "protocol"],
  audit: ["base", "protocol", "transport"],
  work: ["base", "protocol", "transport"],
  agent: ["base", "protocol", "transport", "work"],
  client: ["base", "protocol", "transport", "work"],
  workflow: ["base", "protocol"],
  engine: ["base", "protocol", "transport", "work", "workflow"],
  coordinator: ["base", "protocol", "consensus", "transport", "work"],
  bridges: ["base", "protocol", "transport"],
  // The door for authors of agents and workflows, src/index.ts.
  "(door)": ["base", "protocol", "consensus", "transport", "work", "agent", "workflow"],
  app: [
    "base",
    "protocol",
    "consensus",
    "transport",
    "audit",
    "work",
    "agent",
    "client",
    "coordinator",
    "bridges",
    "workflow",
    "engine",
    "(door)",
  ],
};

/**
 * Rooms whose folders may reach themselves through others. The folders of coordinator are features, each with its reducer and
 * its driver; they meet in `state.ts` and `requests.ts`. Their arrows are in folder-graph.golden, and only become fewer.
 */
export const ROOMS_WITH_CIRCLES: readonly string[] = ["coordinator"];

/** Packages that only one room may import, so that replacing such a package changes one room. */
export const KEEPERS: Readonly<Record<string, string>> = {
  "@nats-io/": "transport",
  "prom-client": "base",
  pino: "base",
};

/** The files where programs start. A file of src or agents that none of these reaches is dead. */
export const ENTRIES: readonly RegExp[] = [
  /^src\/app\/main\.ts$/,
  // The program of the agents of a review.
  /^src\/app\/review-host\.ts$/,
  /^src\/index\.ts$/,
  // The door of the package for tests of workflows.
  /^src\/workflow\/testing\/index\.ts$/,
  /^agents\/[^/]+\/agent\.ts$/,
  // The script that the browser loads.
  /^console\/src\/main\.ts$/,
  /^tools\/(build|rigs|k8s)\/[^/]+\.ts$/,
  /^bench\/[^/]+\.ts$/,
];

/** The files outside app that may import files of app, which has no door: the programs that write the reference pages and the boards. */
export const READERS_OF_APP = /^(tools|grafana)\//;

/** The seam of a room for its tests: only tests import it, and it does not count as dead. */
export const TEST_SEAM = /^src\/[^/]+\/internal\.ts$/;

/** Rooms with pure files only. In other rooms a pure file says "Pure" in its opening comment. */
export const PURE_ROOMS: readonly string[] = ["consensus"];
/** The mark in the opening comment: a sentence that begins with "Pure", or ends in ", pure". */
export const SAYS_PURE = /(^|[.:;]\s)Pure\b|, pure[.:;]/m;

/** Paths that exist only on the machine of one author. `/work` alone is a common folder in containers. */
export const MACHINE_PATHS =
  /(?<![\w.$}])\/(?:root|home\/(?!nonroot\b)[a-z][\w-]*|Users\/[A-Za-z]\w*|work\/(?:main|notes|shared))\b/;

/** Package registries: an address in a lockfile or a script would tie every user to that registry. */
export const REGISTRY_HOSTS: readonly string[] = [
  ["registry", "npmjs", "org"],
  ["registry", "yarnpkg", "com"],
  ["pypi", "org"],
  ["files", "pythonhosted", "org"],
  ["proxy", "golang", "org"],
  ["static", "crates", "io"],
  ["deb", "debian", "org"],
].map((labels) => labels.join("."));

/**
 * A file of src with more lines of code than this (blank lines and comments not counted) is probably two thoughts.
 * long-files.golden lists the files that are longer; they may only shrink.
 */
export const LONG_FILE_LINES = 400;
