// The part of an engine that answers requests: the judgement of a command before it is stored, and the list of definitions.
import { type Clock, createService, type Logger, type Service } from "../../base/index.ts";
import { encode, HEADERS, lastToken, type Subjects, SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { IncomingRequest, RequestSubscription, Transport } from "../../transport/index.ts";
import { bodyHeaders, errorReply } from "../../work/index.ts";
import type { EngineRoll } from "../check/stuck.ts";
import type { LogStore } from "../stores/log-store.ts";
import type { CommandStore } from "./command-store.ts";
import { type AskedCommand, type Definitions, judgeCommand, type RunDefinitions } from "./judge.ts";
import { readCheckRequest } from "./wire.ts";

/** The requests that engines answer: one of them `check` and `definitions`, and each of them `roll`. */
export type EngineRequest = "check" | "definitions" | "roll";
/** The most requests in flight; further callers try again. */
const MAX_JUDGEMENTS_IN_FLIGHT = 256;

/** Makes the server. All engines share one queue group, but for the roll call. `roll`: the answer of this engine to it. */
export function createEngineServer(parts: {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  log: Logger;
  logs: LogStore;
  commands: CommandStore;
  definitions: Definitions;
  runs: RunDefinitions;
  roll: () => EngineRoll;
}): Service {
  const { transport, subjects, clock, log, logs, commands, definitions, runs, roll } = parts;
  const subscriptions: RequestSubscription[] = [];
  let inFlight = 0;

  async function answer(request: IncomingRequest): Promise<unknown> {
    const name = lastToken(request.subject) as EngineRequest;
    if (name === "definitions") return { definitions: definitions.list() };
    if (name !== "check") throw new SwarmError("not_found", `engines answer no request ${name}`);
    const { id, command, by } = readCheckRequest(request.data);
    const asked = { id, command: command as AskedCommand, by };
    return { command: await judgeCommand({ logs, commands, definitions, runs, nowMs: clock.now() }, asked) };
  }

  async function serve(request: IncomingRequest): Promise<void> {
    if (lastToken(request.subject) === "roll") return; // Each engine hears it on the other subscription.
    try {
      if (inFlight >= MAX_JUDGEMENTS_IN_FLIGHT)
        throw new SwarmError(
          "rate_limited",
          `this engine judges ${MAX_JUDGEMENTS_IN_FLIGHT} commands; try again`,
          {
            retryAfterMs: 100,
          },
        );
      inFlight++;
      try {
        request.respond(encode(await answer(request)), bodyHeaders("json"));
      } finally {
        inFlight--;
      }
    } catch (thrown) {
      const error = toSwarmError(thrown);
      if (error.code === "internal")
        log.error({ err: thrown }, "request to the engine failed by an internal error");
      const { body, headers } = errorReply(error);
      request.respond(body, { ...headers, [HEADERS.contentType]: "application/json" });
    }
  }

  return createService({
    name: "engine server",
    async start() {
      subscriptions.push(
        transport.bus.subscribe(subjects.filters.allEngineRequests, (request) => void serve(request), {
          queue: "engines",
        }),
        transport.bus.subscribe(subjects.engines("roll"), (request) =>
          request.respond(encode(roll()), bodyHeaders("json")),
        ),
      );
      await transport.bus.flush();
    },
    stop: async () => {
      await Promise.all(subscriptions.splice(0).map((subscription) => subscription.drain()));
    },
  });
}
