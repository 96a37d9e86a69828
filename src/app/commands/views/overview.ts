// The overview of a swarm for people: the five questions of an incident, in the order of the board Overview.
import type { z } from "zod";
import { showDuration, type Terminal, table } from "../../cli/terminal.ts";
import type { overviewSchema } from "../../operations/overview.ts";
import type { Rates } from "../../problems/overview.ts";

type Overview = z.output<typeof overviewSchema>;
/** The most problems and capabilities that a screen of 24 lines has room for; `problems` and `status` show all. */
const MAX_ROWS = 8;
/** A stream with this share of its limit is worth a line. */
const WORTH_TELLING = 0.5;

/** The screen. `rates`: since the screen before; null on the first one. */
export function showOverview(view: Overview, rates: Rates | null, terminal: Terminal): string {
  const { colors } = terminal;
  const heading = `${colors.bold(`murmur top`)}  swarm ${view.prefix}  ${view.at}`;
  return [
    heading,
    showWrong(view, terminal),
    showStand(view, rates, terminal),
    showQueues(view, terminal),
  ].join("\n\n");
}

/** Is work lost, wrong or late, since when, and what can be done? */
function showWrong({ problems, unknown }: Overview, { colors }: Terminal): string {
  const lines = problems.slice(0, MAX_ROWS).map(({ name, severity, since, cause, commands }) => {
    const mark = severity === "page" ? colors.red("PAGE  ") : colors.yellow("ticket");
    return `${mark}  ${name} since ${since ?? "unknown"}\n        ${cause}\n        → ${commands[0] ?? "murmur problems"}`;
  });
  const more = problems.length - MAX_ROWS;
  const blind = unknown.map(({ part, reason }) => colors.yellow(`unknown: ${part} (${reason})`));
  const all = [...lines, ...(more > 0 ? [`and ${more} more: murmur problems`] : []), ...blind];
  return all.length === 0 ? colors.green("no problem is known") : all.join("\n");
}

/** Where does it stand, and is it getting better? */
function showStand(view: Overview, rates: Rates | null, { colors }: Terminal): string {
  const unknown = colors.yellow("unknown");
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  const { agents, office, streams, delayed } = view;
  const full = streams?.filter(({ share }) => share >= WORTH_TELLING) ?? [];
  const waits = agents === null ? "" : list(agents.waits);
  const rows: [string, string][] = [
    ["tasks", rates === null ? "rates follow with the next look" : showRates(rates)],
    [
      "agents",
      agents === null
        ? unknown
        : `${list(agents.states) || "none"}; ${agents.slots.used} of ${agents.slots.total} slots in use${waits === "" ? "" : `; waiting for: ${waits}`}`,
    ],
    ["office", office === null ? unknown : showOffice(office)],
    ["delayed", delayed === null ? unknown : `${delayed} tasks`],
    ...full.map(({ stream, share }): [string, string] => [
      "stream",
      `${stream} is ${Math.floor(100 * share)} % full`,
    ]),
  ];
  return rows.map(([name, text]) => `${name.padEnd(9)}${text}`).join("\n");
}

function showRates({ arrivingPerSecond, endingPerSecond, deadPerSecond, backlogSeconds }: Rates): string {
  const rate = (value: number) => value.toFixed(1);
  const dead = deadPerSecond > 0 ? `, ${rate(deadPerSecond)}/s become dead letters` : "";
  const backlog =
    backlogSeconds === null ? "" : `; the backlog is gone in ${showDuration(backlogSeconds * 1_000)}`;
  return `${rate(arrivingPerSecond)}/s arrive, ${rate(endingPerSecond)}/s end${dead}${backlog}`;
}

function showOffice({ leader, coordinators, lag }: NonNullable<Overview["office"]>): string {
  if (coordinators === 0) return "no coordinator answers; tasks flow without one";
  return `${leader === null ? "no leader" : `${leader} leads`}, ${coordinators} coordinators${lag > 0 ? `, one lags ${lag} entries` : ""}`;
}

function showQueues({ capabilities, at }: Overview, { colors }: Terminal): string {
  if (capabilities === null) return `queues   ${colors.yellow("unknown")}`;
  const rows = capabilities
    .slice(0, MAX_ROWS)
    .map(({ capability, waiting, running, oldest, isPaused, agents }) => [
      capability,
      String(waiting),
      String(running),
      oldest === null ? "-" : showDuration(Math.max(0, Date.parse(at) - Date.parse(oldest))),
      agents === 0 ? colors.red("0") : String(agents),
      isPaused ? colors.yellow("paused") : "open",
    ]);
  const more = capabilities.length - MAX_ROWS;
  const shown = table(
    ["CAPABILITY", "WAITING", "RUNNING", "OLDEST", "AGENTS", "STATE"],
    rows,
    "no capability has been offered yet",
  );
  return more > 0 ? `${shown}\nand ${more} more with fewer waiting tasks: murmur status` : shown;
}
