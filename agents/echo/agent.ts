// The echo agent, for smoke tests, benchmarks and drills: it returns its input. Input keys that start with `$` are orders.
// They make the agent slow, make it write a file, or make it fail in every way that an agent can fail:
//   { "$sleepMs": n }     waits first, with progress, until cancelled
//   { "$append": path }   appends "<taskId> <attempt>\n"; only below the directory in MURMUR_ECHO_DIR
//   { "$fail": how }      retryable, terminal, throw, exit, hang, block (the event loop), allocate (without end)
// The agent performs them in this order. MURMUR_ECHO_SLOTS sets the number of its slots.
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { type AgentContext, defineAgent, RetryableError, SwarmError, TerminalError } from "murmur-swarm";
import { z } from "zod";

/**
 * 64: an echo needs no time of its own, so the slots only have to cover the tasks in flight. At 15,000 tasks a second and
 * 2 ms from delivery to stored result that is 30 tasks (Little's law), doubled for bursts.
 */
const DEFAULT_SLOTS = 64;
/** The longest sleep: an hour. */
const MAX_SLEEP_MS = 3_600_000;
/** The progress reports of one sleep. */
const SLEEP_PARTS = 20;

const ordersSchema = z.looseObject({
  $sleepMs: z.number().min(0).max(MAX_SLEEP_MS).optional(),
  $append: z.string().min(1).max(4_096).optional(),
  $fail: z.enum(["retryable", "terminal", "throw", "exit", "hang", "block", "allocate"]).optional(),
});
type Orders = z.output<typeof ordersSchema>;

export default defineAgent({
  name: "echo",
  description: "Returns its input; for smoke tests, benches and drills.",
  capabilities: ["echo"],
  slots: Number(process.env.MURMUR_ECHO_SLOTS ?? DEFAULT_SLOTS),
  input: z.unknown().superRefine((input, context) => {
    if (!hasOrders(input)) return;
    for (const issue of ordersSchema.safeParse(input).error?.issues ?? []) context.addIssue({ ...issue });
  }),
  run(task, ctx) {
    return hasOrders(task.input) ? performOrders(task.input, task.id, ctx) : task.input;
  },
});

function hasOrders(input: unknown): input is Orders {
  return (
    typeof input === "object" &&
    input !== null &&
    ("$sleepMs" in input || "$append" in input || "$fail" in input)
  );
}

async function performOrders(orders: Orders, taskId: string, ctx: AgentContext): Promise<Orders> {
  const { $sleepMs: sleepMs, $append: path, $fail: how } = orders;
  if (sleepMs !== undefined) await sleep(sleepMs, ctx);
  if (path !== undefined) await append(path, `${taskId} ${ctx.attempt}\n`);
  if (how !== undefined) await fail(how);
  return orders;
}

async function sleep(sleepMs: number, ctx: AgentContext): Promise<void> {
  for (let part = 1; part <= SLEEP_PARTS; part++) {
    await ctx.sleep(sleepMs / SLEEP_PARTS);
    ctx.progress((100 * part) / SLEEP_PARTS, "sleeping");
  }
}

/** Appends a line in one write. The file's real directory must be inside the allowed one; the file must not be a link. */
async function append(path: string, line: string): Promise<void> {
  const allowed = process.env.MURMUR_ECHO_DIR ?? "";
  const root = allowed === "" ? undefined : await realpath(allowed).catch(() => undefined);
  if (root === undefined) throw notPermitted("MURMUR_ECHO_DIR names no directory, so $append is off");
  const directory = await realpath(dirname(path)).catch(() => undefined);
  if (directory === undefined || !`${directory}${sep}`.startsWith(`${root}${sep}`)) {
    throw notPermitted(
      `$append must name a file in an existing directory below MURMUR_ECHO_DIR, got ${path}`,
    );
  }
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const file = await open(join(directory, basename(path)), flags, 0o644).catch((error: Error) => {
    throw notPermitted(`$append must name a plain file that can be written: ${error.message}`);
  });
  try {
    await file.write(line);
  } finally {
    await file.close();
  }
}

function notPermitted(message: string): SwarmError {
  return new SwarmError("not_permitted", message, { field: "input.$append" });
}

async function fail(how: NonNullable<Orders["$fail"]>): Promise<void> {
  switch (how) {
    case "retryable":
      throw new RetryableError("echo failed with a retryable error, as ordered");
    case "terminal":
      throw new TerminalError("echo failed with a terminal error, as ordered");
    case "throw":
      throw new Error("echo threw an error, as ordered");
    case "exit":
      return process.exit(1);
    case "hang":
      return new Promise(() => {});
    case "block":
      for (;;);
    case "allocate":
      return allocate();
  }
}

/** Fills the heap, 8 MB at a step. Between the steps it gives the event loop back, so that the process fails by its memory alone. */
async function allocate(): Promise<void> {
  const blocks: number[][] = [];
  for (;;) {
    blocks.push(new Array<number>(1_000_000).fill(Math.random()));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
