// The program of the checkout, as `./murmur` starts it: a short command runs from the build, which starts in a third of the time.
// A command that lives long runs from the sources: it may load a module hours later, and `up --watch` looks at the sources.
import { enableCompileCache } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { provideBuild, REDIRECT } from "./checkout-build.ts";

/** Words of the commands that live long, or that run agents in their own process. */
const LONG = new Set(["up", "restart", "run", "api", "coordinator", "bench", "debug", "logs"]);
/** The command whose own processes live as short as itself: they load the build too. */
const REVIEW = "review";

enableCompileCache();
const root = join(import.meta.dirname, "../..");
const isLong = process.argv.slice(2).some((word) => LONG.has(word));
const build = isLong ? undefined : await provideBuild(root);
if (build !== undefined && process.argv.slice(2).includes(REVIEW)) {
  const redirect = `--import=${pathToFileURL(join(dirname(build), REDIRECT)).href}`;
  process.env.NODE_OPTIONS = [process.env.NODE_OPTIONS ?? "", redirect].join(" ").trim();
}
await import(pathToFileURL(build ?? join(root, "src/app/main.ts")).href);
