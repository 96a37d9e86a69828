// The names and modules that the code of a workflow must not use. A replay runs the code again, perhaps on another machine, and must
// come to the same decisions.

/** The kinds of faults. Each has its reason and the way out. */
export const ADVICE = {
  clock: "uses the clock, and a replay runs at another time: use yield* now() or yield* sleep(name, ms)",
  chance: "is different in each replay: use yield* random(), or let an agent make the value in a step",
  async: "waits outside the log: let an agent do it in a step, and wait for that with yield*",
  environment:
    "differs between machines and processes: put the value into the input of the run, or let an agent read it in a step",
  network: "talks to the network: let an agent do it in a step",
} as const;

/** A kind of fault. */
export type FaultKind = keyof typeof ADVICE;

/**
 * Global names, also as paths, with the kind of their fault. The longest path that fits counts, and null allows it. `Date` without arguments
 * is a case of its own.
 */
const GLOBALS: Readonly<Record<string, FaultKind | null>> = {
  "Date.now": "clock",
  performance: "clock",
  "Temporal.Now": "clock",
  setTimeout: "clock",
  setInterval: "clock",
  setImmediate: "clock",
  "Math.random": "chance",
  crypto: "chance",
  Promise: "async",
  queueMicrotask: "async",
  Atomics: "async",
  process: "environment",
  navigator: "environment",
  require: "environment",
  eval: "environment",
  Function: "environment",
  WeakRef: "environment",
  FinalizationRegistry: "environment",
  "Intl.DateTimeFormat": "environment",
  fetch: "network",
  WebSocket: "network",
  EventSource: "network",
  XMLHttpRequest: "network",
};

/** Node's modules with the kind of their fault; null is allowed. A module that is not in the table touches the environment. */
const BUILTINS: Readonly<Record<string, FaultKind | null>> = {
  assert: null,
  buffer: null,
  events: null,
  path: null,
  punycode: null,
  querystring: null,
  string_decoder: null,
  url: null,
  util: null,
  perf_hooks: "clock",
  timers: "clock",
  stream: "async",
  async_hooks: "async",
  dgram: "network",
  dns: "network",
  http: "network",
  http2: "network",
  https: "network",
  net: "network",
  tls: "network",
};

/** Names of `node:crypto` whose answer follows from their arguments alone. */
const PURE_CRYPTO = new Set([
  "createHash",
  "createHmac",
  "hash",
  "timingSafeEqual",
  "pbkdf2Sync",
  "scryptSync",
  "hkdfSync",
]);

/** Methods whose answer depends on the time zone or the language of the machine, with the most arguments of a call that does. */
const LOCAL_METHODS: Readonly<Record<string, number>> = {
  getDate: 0,
  getDay: 0,
  getFullYear: 0,
  getHours: 0,
  getMinutes: 0,
  getMonth: 0,
  getTimezoneOffset: 0,
  toDateString: 0,
  toLocaleDateString: 0,
  toLocaleString: 0,
  toLocaleTimeString: 0,
  toTimeString: 0,
  localeCompare: 1,
};

/** The fault of a global name with the path that follows it, and the part of the path that it is about; null when there is none. */
export function globalFault(path: readonly string[]): { kind: FaultKind; text: string } | null {
  for (let length = path.length; length > 0; length--) {
    const text = path.slice(0, length).join(".");
    const kind = Object.hasOwn(GLOBALS, text) ? GLOBALS[text] : undefined;
    if (kind === null) return null;
    // The whole path says more than its beginning: process.env.HOME. Two names are enough.
    if (kind !== undefined) return { kind, text: path.slice(0, Math.max(length, 2)).join(".") };
  }
  return null;
}

/** The kind of the fault of a use of a module of Node; `member` is undefined when the whole module is used. */
export function builtinFault(module: string, member: string | undefined): FaultKind | null {
  const name = module.replace(/^node:/, "").split("/")[0]!;
  if (name === "crypto") return member !== undefined && PURE_CRYPTO.has(member) ? null : "chance";
  if (module.endsWith("/promises"))
    return name === "timers" ? "clock" : name === "dns" ? "network" : "environment";
  return Object.hasOwn(BUILTINS, name) ? (BUILTINS[name] ?? null) : "environment";
}

/** True for a call of a method whose answer depends on the machine's time zone or language. */
export function isLocalMethod(name: string, argumentCount: number): boolean {
  return Object.hasOwn(LOCAL_METHODS, name) && argumentCount <= LOCAL_METHODS[name]!;
}
