// The program's entry: runs the command line, or becomes the supervisor when a detached `up` started this process.
import { Console } from "node:console";
import { enableCompileCache } from "node:module";

/**
 * The time that a finished command has to end by itself, in ms. Nothing should hold it: this is the last resort for work
 * that cannot be ended, such as a look-up of a host name.
 */
const END_BY_ITSELF_MS = 250;

enableCompileCache();
// Standard output belongs to the output of commands. Libraries write to the console: nats-core does for a peer that sends garbage.
globalThis.console = new Console(process.stderr);
process.exitCode = await start();
setTimeout(() => process.exit(), END_BY_ITSELF_MS).unref();

async function start(): Promise<number> {
  if (process.env.MURMUR_DETACHED_SUPERVISOR !== undefined && process.send !== undefined) {
    const { runDetached } = await import("./supervisor/detach.ts");
    return runDetached();
  }
  const [{ runCli }, { COMMANDS }, { VERSION }, { commandToType }, { createSpelling }] = await Promise.all([
    import("./cli/cli.ts"),
    import("./commands/index.ts"),
    import("./version.ts"),
    import("./own-package.ts"),
    import("./cli/spelling.ts"),
  ]);
  const words = COMMANDS.map(({ name }) => name.split(" ", 1)[0] ?? name);
  // It is no error when the reader of the output ends first (`murmur task ls | head -1`).
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  return runCli(
    {
      argv: process.argv.slice(2),
      stdout: process.stdout,
      stderr: process.stderr,
      version: VERSION,
      spell: createSpelling(commandToType(process.cwd()), [...new Set(words), "help"]),
      openSession: async (input) => {
        const { openSession } = await import("./cli/session.ts");
        return openSession(input, { environment: process.env, directory: process.cwd() });
      },
    },
    COMMANDS,
  );
}
