// The house rules as data: what docs/architecture.md (section 2) and CONTRIBUTING.md say in prose. Adding an arrow or an
// exception here is a decision; the commit says why.

/** Rooms of src/ from the bottom up, with the rooms that each may import. A room that does not stand yet has no line. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  protocol: ["base"],
  consensus: ["base", "protocol"],
  transport: ["base", "protocol"],
  audit: ["base", "protocol", "transport"],
  work: ["base", "protocol", "transport"],
  agent: ["base", "protocol", "transport", "work"],
  coordinator: ["base", "protocol", "consensus", "transport", "work"],
  bridges: ["base", "protocol", "transport"],
  // The door for people who write agents, src/index.ts.
  "(door)": ["base", "protocol", "transport", "work", "agent"],
  app: [
    "base",
    "protocol",
    "consensus",
    "transport",
    "audit",
    "work",
    "agent",
    "coordinator",
    "bridges",
    "(door)",
  ],
};

/**
 * Rooms whose folders may reach themselves through others. The folders of coordinator are features, each with its reducer and
 * its driver; they meet in `state.ts` and `requests.ts`. Their arrows are in folder-graph.golden, and only become fewer.
 */
export const ROOMS_WITH_CIRCLES: readonly string[] = ["coordinator"];

/** Packages that one room alone may import, so that replacing one of them stays one room's work. */
export const KEEPERS: Readonly<Record<string, string>> = {
  "@nats-io/": "transport",
  "prom-client": "base",
  pino: "base",
};

/** Where programs begin. Every file of src and agents is reached from one of these, or it is dead. */
export const ENTRIES: readonly RegExp[] = [
  /^src\/app\/main\.ts$/,
  /^src\/index\.ts$/,
  /^agents\/[^/]+\/agent\.ts$/,
  /^tools\/(build|rigs)\/[^/]+\.ts$/,
  /^bench\/[^/]+\.ts$/,
];

/** Who outside app may read its files, which have no door: what writes app's own reference pages. */
export const READERS_OF_APP = /^tools\//;

/** A room's labelled seam for its tests: only tests import it, and it is not dead. */
export const TEST_SEAM = /^src\/[^/]+\/internal\.ts$/;

/** Rooms in which every file is a decider. In the others a file says so itself: "Pure" in its opening comment. */
export const PURE_ROOMS: readonly string[] = ["consensus"];
/** How a file's opening comment says it: a sentence that begins with "Pure", or ends in ", pure". */
export const SAYS_PURE = /(^|[.:;]\s)Pure\b|, pure[.:;]/m;

/** Words that only make sense on the machine where they were written. `/work` alone is a common container folder. */
export const MACHINE_PATHS =
  /(?<![\w.$}])\/(?:root|home\/(?!nonroot\b)[a-z][\w-]*|Users\/[A-Za-z]\w*|work\/(?:main|notes|shared))\b/;

/** Package registries: an address in a lockfile or a script ties everyone to one of them. */
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
