// One alert as data, and the times that several alerts share. Pure.
import { PROBLEMS, type ProblemName, type Severity } from "../problems/catalogue.ts";
import type { BoardName } from "./boards.ts";

/** One alert. */
export interface Alert {
  readonly name: `Murmur${string}`;
  /** `none`: it tells that alerts arrive, and is no fault. */
  readonly severity: Severity | "none";
  /** One line for people. */
  readonly summary: string;
  /** With the figure and the objects that it hits, as a template of Prometheus. */
  readonly description: string;
  readonly expr: string;
  /** How long the expression must hold, in seconds; 0: at once. */
  readonly forSeconds: number;
  /** The board that shows its figures. */
  readonly board: BoardName;
  /** Labels beside `severity`. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A vacant office, a halted log, a full stream: a minute is four scrapes, and a page within 2 min. */
export const PAGE_SECONDS = 60;
/** Causes that make a ticket shall last for some minutes. */
export const TICKET_SECONDS = 300;
/** Something that goes up and down within minutes in a healthy swarm shall last for this long. */
export const SLOW_SECONDS = 900;

/** The alert of a problem, with the words of the catalogue. */
export function ofProblem(
  name: ProblemName,
  rest: Pick<Alert, "description" | "expr" | "forSeconds" | "board">,
): Alert {
  const { severity, summary } = PROBLEMS[name];
  return { name, severity, summary, ...rest };
}
