// The simulator on demand: runs seeds of its worlds on all cores, shows the progress, and prints each failure with the
// command that replays it. Owns the command line. A world (test/support/sim/worlds.ts) runs one seed, sweep.ts runs many.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { describeFailure } from "../../test/support/sim/report.ts";
import { sweep, type Tally } from "../../test/support/sim/sweep.ts";
import { loadWorld, WORLD_NAMES as WORLDS } from "../../test/support/sim/worlds.ts";

/** The smallest number of seeds in a run that must show every kind of fault. */
const ENOUGH_SEEDS = 100;

const USAGE = `Usage: npm run sim -- [--seeds N] [--from N] [--world ${WORLDS.join("|")}] [--threads N] [--json]
       npm run sim -- --seed N [--world ${WORLDS.join("|")}] [--trace]
       npm run sim -- --mutants [--seeds N] [--from N] [--world ${WORLDS.join("|")}]

Simulates swarms, one for each seed: of coordinators (line, member) and of engines that run a workflow (workflow). Everything in a swarm
breaks for a while and then heals.

  --seeds N     the number of seeds of each world; default 200
  --from N      the first seed; default 1
  --world NAME  only this world; default: all
  --threads N   default: one for each core
  --json        the summary as one JSON document on standard output
  --seed N      replay one seed: the same lines byte for byte; compare the digest
  --trace       with --seed: print every line and reply with its step and member
  --mutants     run deliberate bugs, and print the first seed that notices each bug and its message

Exit codes: 0 all seeds held and (from ${ENOUGH_SEEDS} seeds on) every kind of fault happened, 1 otherwise, 2 usage.
`;

/** The interval of progress output on a terminal and in a log file, in ms. */
const TERMINAL_INTERVAL_MS = 200;
const LINE_INTERVAL_MS = 10_000;

/** The result of the seeds of one world. */
interface WorldReport {
  readonly world: string;
  readonly tally: Tally;
  readonly tookMs: number;
  /** All kinds of fault of the world. */
  readonly faults: readonly string[];
  /** The kinds of fault that never happened in at least ENOUGH_SEEDS seeds. */
  readonly missing: readonly string[];
}

const options = readOptions();
const held = options.mutants
  ? await showMutants()
  : options.seed === null
    ? await sweepWorlds()
    : await replay(options.seed);
process.exitCode = held ? 0 : 1;

// Sweeping

async function sweepWorlds(): Promise<boolean> {
  const outcomes: WorldReport[] = [];
  for (const world of options.worlds) outcomes.push(await sweepWorld(world));
  const sound = outcomes.every(isSound);
  if (options.json) print(JSON.stringify(summarise(outcomes, sound), null, 2));
  return sound;
}

async function sweepWorld(world: string): Promise<WorldReport> {
  const { from, seeds, threads, json } = options;
  const startedMs = performance.now();
  const progress = createProgress(world);
  const tally = await sweep(
    { world, from, to: from + seeds },
    {
      threads: Math.min(threads, seeds),
      onProgress(sum, { failures }) {
        for (const { seed, failure } of json ? [] : failures) {
          progress.clear();
          print(`world "${world}", seed ${seed} failed: ${failure}\n  replay: ${replayCommand(world, seed)}`);
        }
        progress.show(sum);
      },
    },
  );
  progress.clear();
  const { faults } = await loadWorld(world);
  const missing =
    tally.seeds >= ENOUGH_SEEDS ? faults.filter((fault) => tally.faults[fault] === undefined) : [];
  const outcome = { world, tally, tookMs: performance.now() - startedMs, faults, missing };
  if (!json) report(outcome);
  return outcome;
}

function report({ world, tally, tookMs, faults, missing }: WorldReport): void {
  for (const fault of faults) print(`${String(tally.faults[fault] ?? 0).padStart(10)}  ${fault}`);
  const [first] = tally.failures;
  if (first !== undefined) print(`world "${world}", ${describeFailure(first)}`);
  if (missing.length > 0) print(`never happened: ${missing.join(", ")}`);
  const failed = tally.failures.length === 0 ? "held" : `run, ${tally.failures.length} failed`;
  print(
    `world "${world}": ${tally.seeds} seeds ${failed}: ${showFigures(tally.figures)} in ${(tookMs / 1_000).toFixed(1)} s`,
  );
}

function summarise(outcomes: readonly WorldReport[], sound: boolean) {
  const worlds = outcomes.map(({ world, tally, tookMs, faults, missing }) => ({
    world,
    ...tally,
    faults: Object.fromEntries(faults.map((fault) => [fault, tally.faults[fault] ?? 0] as const)),
    failures: tally.failures.map(({ seed, failure, digest }) => ({
      ...{ seed, failure, digest },
      replay: replayCommand(world, seed),
    })),
    missing,
    tookMs: Math.round(tookMs),
  }));
  return { sound, from: options.from, seeds: options.seeds, worlds };
}

function showFigures(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

function isSound({ tally, missing }: WorldReport): boolean {
  return tally.failures.length === 0 && missing.length === 0;
}

function replayCommand(world: string, seed: number): string {
  return `npm run sim -- --world ${world} --seed ${seed}`;
}

/** Shows the progress of a world on standard error. */
function createProgress(world: string) {
  const { seeds } = options;
  const { isTTY = false } = process.stderr;
  const startedMs = performance.now();
  let shownMs = startedMs;
  return {
    show({ seeds: done, failures }: Tally): void {
      const nowMs = performance.now();
      if (nowMs - shownMs < (isTTY ? TERMINAL_INTERVAL_MS : LINE_INTERVAL_MS)) return;
      shownMs = nowMs;
      const leftSeconds = Math.ceil(((nowMs - startedMs) / done) * ((seeds - done) / 1_000));
      const text = `world "${world}": ${done} of ${seeds} seeds, ${failures.length} failed, ${leftSeconds} s left`;
      process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    },
    clear(): void {
      if (isTTY) process.stderr.write("\r\x1b[K");
    },
  };
}

// One seed, and mutants

async function replay(seed: number): Promise<boolean> {
  let held = true;
  for (const world of options.worlds) {
    const run = await (await loadWorld(world)).run(seed, options.trace ? print : undefined);
    held &&= run.failure === null;
    const text = `seed ${seed} held: ${showFigures(run.figures)}\ndigest ${run.digest}`;
    print(`world "${world}", ${run.failure === null ? text : describeFailure(run)}`);
  }
  return held;
}

async function showMutants(): Promise<boolean> {
  const worlds = await Promise.all(options.worlds.map(loadWorld));
  const mutants = worlds.flatMap((world) => world.mutants);
  let survivors = 0;
  for (const { name, run } of mutants) {
    let noticed = "no seed notices it";
    let seed = options.from;
    for (; seed < options.from + options.seeds; seed++) {
      const { failure } = await run(seed);
      if (failure === null) continue;
      noticed = failure;
      break;
    }
    if (seed === options.from + options.seeds) survivors++;
    print(`${name}\n  seed ${seed}: ${noticed}`);
  }
  print(`${mutants.length} mutants, ${survivors} not noticed`);
  return survivors === 0;
}

// Command line

function readOptions() {
  const { values } = parse();
  if (values.help) {
    print(USAGE.trimEnd());
    process.exit(0);
  }
  if (values.world !== undefined && !WORLDS.includes(values.world)) {
    refuse(`--world must be one of ${WORLDS.join(", ")}, got ${values.world}`);
  }
  if (values.trace && values.seed === undefined) refuse("--trace needs --seed");
  if (values.json && (values.mutants || values.seed !== undefined))
    refuse("--json cannot be combined with --seed or --mutants");
  return {
    seeds: readCount("seeds", values.seeds),
    from: readCount("from", values.from),
    threads: readCount("threads", values.threads ?? String(availableParallelism())),
    seed: values.seed === undefined ? null : readCount("seed", values.seed),
    worlds: values.world === undefined ? WORLDS : [values.world],
    ...{ json: values.json, trace: values.trace, mutants: values.mutants },
  };
}

function parse() {
  try {
    return parseArgs({
      options: {
        seeds: { type: "string", default: "200" },
        from: { type: "string", default: "1" },
        world: { type: "string" },
        threads: { type: "string" },
        seed: { type: "string" },
        json: { type: "boolean", default: false },
        trace: { type: "boolean", default: false },
        mutants: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function readCount(name: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  return refuse(`--${name} must be a whole number of at least 1, got ${text}`);
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
