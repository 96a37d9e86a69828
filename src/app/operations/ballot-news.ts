// Tells whoever waits for a ballot what it is doing: the rounds on a terminal, and, because somebody may have to act, that
// it waits for a coordinator, for agents or for a person. Best effort, like the events that it hears.
import { z } from "zod";
import { createOfficeClient } from "../../coordinator/index.ts";
import { createSubjects, decode, lastToken } from "../../protocol/index.ts";
import type { Ports } from "../cli/command.ts";

/** The office may be changing hands; after this long without an answer, in ms, somebody should look. */
const OFFICE_PATIENCE_MS = 3_000;

const newsSchema = z.object({
  for: z.enum(["agents", "person"]).optional(),
  reason: z.string().optional(),
  seats: z.int().optional(),
  round: z.int().optional(),
  asked: z.int().optional(),
});

/** Listens until the returned function is called. */
export async function watchBallot(ports: Ports, id: string): Promise<() => void> {
  const transport = await ports.transport();
  const { bus, prefix } = transport;
  const { terminal } = ports;
  let said = "";
  const sayOnce = (line: string) => {
    if (line !== said) terminal.say(line);
    said = line;
  };
  const subscription = bus.subscribe(createSubjects(prefix).filters.ballotEvents(id), ({ subject, data }) => {
    const news = read(data);
    const event = lastToken(subject);
    if (event === "opened") terminal.status(`waiting for ${news.seats ?? "all"} seats`);
    if (event === "round")
      terminal.status(`round ${news.round ?? "?"}: waiting for ${news.asked ?? "all"} seats`);
    if (event === "waits" && news.for === "agents") sayOnce(news.reason ?? "waiting for agents");
    if (event === "waits" && news.for === "person")
      sayOnce(`the seats do not agree; somebody must decide: murmur ballot show ${id}`);
  });
  const ended = new AbortController();
  createOfficeClient({ transport })
    .tenure({ timeoutMs: OFFICE_PATIENCE_MS, signal: ended.signal })
    .catch(() => {
      if (!ended.signal.aborted)
        sayOnce("nobody holds the office: ballots wait for a coordinator (murmur office status)");
    });
  return () => {
    ended.abort();
    subscription.close();
  };
}

function read(data: Uint8Array): z.output<typeof newsSchema> {
  try {
    return newsSchema.safeParse(decode(data).value).data ?? {};
  } catch {
    return {}; // what is no event of ours says nothing
  }
}
