// The program as tests start it in processes of their own: the file that Node runs, and the environment. The processes load the
// checkout's build in the place of its sources, which costs half a second of CPU time less for each. The nightly run starts the
// sources, as people do.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { provideRedirect } from "../../tools/build/checkout-build.ts";
import { scaled } from "./scale.ts";

const root = join(import.meta.dirname, "../..");

/** The module that redirects to the build; undefined when the sources run. */
const redirect = scaled(0, 1) === 1 ? undefined : await provideRedirect(root);

/** The arguments of Node before those of the program. Without a redirection, the entry of the launcher finds the build for short commands. */
export const PROGRAM: readonly string[] = [
  "--disable-warning=ExperimentalWarning",
  join(root, redirect === undefined ? "tools/build/run.ts" : "src/app/main.ts"),
];

/** The settings of the test machine: the processes that a test starts must not inherit them. */
const FOREIGN = /^(MURMUR_|NATS_|VITEST|NODE_OPTIONS|FORCE_COLOR)/;

/** The environment of the program, without the settings of the test machine. The processes that the program starts inherit it. */
export function programEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  return {
    ...(Object.fromEntries(kept) as Record<string, string>),
    // One cache of compiled code for all: a process that compiles everything again takes a second of a core.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), "murmur-test-compile-cache"),
    ...(redirect === undefined ? {} : { NODE_OPTIONS: `--import=${pathToFileURL(redirect).href}` }),
  };
}
