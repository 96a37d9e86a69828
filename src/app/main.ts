// The program's entry: runs the command line, or becomes the supervisor when a detached `up` started this process.
import { Console } from "node:console";
import { enableCompileCache } from "node:module";

/**
 * The time that a finished command has to end by itself, in ms. Nothing should hold it: this is the last resort for work
 * that cannot be ended, such as a look-up of a host name.
 */
const END_BY_ITSELF_MS = 250;

const untilSession = endAtOnce();
enableCompileCache();
// Standard output belongs to the output of commands. Libraries write to the console: nats-core does for a peer that sends garbage.
globalThis.console = new Console(process.stderr);
process.exitCode = await start();
untilSession.close();
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
      lastLine: async (options) => (await import("./cli/last-line.ts")).createLastLine(process, options),
      openSession: async (input) => {
        const { openSession } = await import("./cli/session.ts");
        const session = await openSession(input, { environment: process.env, directory: process.cwd() });
        untilSession.close();
        return session;
      },
    },
    COMMANDS,
  );
}

/**
 * Ends process 1 of a container at a signal that comes before the session handles signals: the kernel drops a signal that process 1
 * does not handle, and the container would be killed after its grace. Other processes end by the kernel's default.
 */
function endAtOnce(): { close(): void } {
  if (process.pid !== 1) return { close: () => undefined };
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 143 } as const;
  const handlers = Object.entries(signals).map(([signal, code]) => {
    const onSignal = () => process.exit(code);
    process.on(signal, onSignal);
    return () => void process.off(signal, onSignal);
  });
  return {
    close: () => {
      for (const close of handlers) close();
    },
  };
}
