// The news of one ballot while a caller waits for its verdict: its rounds, and whether it waits for a coordinator, for agents
// or for a person, because then a person may have to act. Best effort, like the bus events that it is made from.
import { z } from "zod";
import { createSubjects, decode, lastToken } from "../../protocol/index.ts";
import { yieldReports } from "./event-queue.ts";
import type { OperationContext } from "./operation.ts";

/** How long no coordinator may prove that it holds the office before this is news, in ms: longer than a fail-over. */
const OFFICE_PATIENCE_MS = 3_000;

/** One piece of news. */
export const ballotNewsSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("opened"), seats: z.int().optional() }),
  z.object({
    kind: z.literal("round"),
    round: z.int().optional(),
    /** The seats that are asked in this round. */
    asked: z.int().optional(),
  }),
  z.object({ kind: z.literal("waits-for-agents"), reason: z.string().optional() }),
  z.object({ kind: z.literal("waits-for-person"), ballot: z.string() }),
  z.object({ kind: z.literal("waits-for-office") }),
]);
/** One piece of news. */
export type BallotNews = z.output<typeof ballotNewsSchema>;

const eventSchema = z.object({
  for: z.enum(["agents", "person"]).optional(),
  reason: z.string().optional(),
  seats: z.int().optional(),
  round: z.int().optional(),
  asked: z.int().optional(),
});

/** Runs `work`, which ends with the ballot, and yields the ballot's news until then. */
export async function* followBallot<T>(
  { transport, office }: OperationContext,
  ballot: string,
  work: () => Promise<T>,
): AsyncGenerator<BallotNews, T> {
  const left = new AbortController();
  let close: () => void = () => undefined;
  try {
    return yield* yieldReports<BallotNews, T>((report) => {
      const reportOnce = dropRepeats(report);
      const events = createSubjects(transport.prefix).filters.ballotEvents(ballot);
      const subscription = transport.bus.subscribe(events, ({ subject, data }) => {
        const news = readNews(lastToken(subject), data, ballot);
        if (news !== undefined) reportOnce(news);
      });
      close = () => subscription.close();
      office.tenure({ timeoutMs: OFFICE_PATIENCE_MS, signal: left.signal }).catch(() => {
        if (!left.signal.aborted) reportOnce({ kind: "waits-for-office" });
      });
      return work();
    });
  } finally {
    left.abort();
    close();
  }
}

/** A ballot repeats that it waits; a caller needs to hear it once. */
function dropRepeats(report: (news: BallotNews) => void): (news: BallotNews) => void {
  let last = "";
  return (news) => {
    if (!news.kind.startsWith("waits")) return report(news);
    const text = JSON.stringify(news);
    if (text !== last) report(news);
    last = text;
  };
}

/** The news in one bus event; undefined for an event that says nothing about the progress. */
function readNews(event: string, data: Uint8Array, ballot: string): BallotNews | undefined {
  const facts = readEvent(data);
  if (event === "opened") return { kind: "opened", seats: facts.seats };
  if (event === "round") return { kind: "round", round: facts.round, asked: facts.asked };
  if (event !== "waits") return undefined;
  if (facts.for === "agents") return { kind: "waits-for-agents", reason: facts.reason };
  return facts.for === "person" ? { kind: "waits-for-person", ballot } : undefined;
}

/** An event that does not fit its schema has no facts. */
function readEvent(data: Uint8Array): z.output<typeof eventSchema> {
  try {
    return eventSchema.safeParse(decode(data).value).data ?? {};
  } catch {
    return {};
  }
}
