// Runs the central parts of a swarm inside of a command's own process, for a swarm that lives as long as the command: the streams, the
// mover of due tasks, and the only coordinator. That saves two processes. These parts have no probes, no metrics and no supervisor; the end
// of the command is their end.
// I1: services stop in the reverse order of their start, also after a start that failed half-way.
import {
  createSilentMeter,
  type Logger,
  NO_TRACER,
  newInstanceId,
  type Service,
  sleep,
  stopAll,
  untilAborted,
} from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import { createMover } from "../../work/index.ts";
import { assembleCoordinator, type CoordinatorIdentity } from "./coordinator.ts";
import { endWith } from "./frame.ts";
import { initSwarm } from "./streams.ts";

/** How often the start looks whether the coordinator holds the office, in ms. A coordinator alone takes the office at once. */
const LOOK_EVERY_MS = 20;
/** The one coordinator of such a swarm. */
const ALONE: CoordinatorIdentity = { id: "coordinator-1", members: ["coordinator-1"] };

/**
 * Creates the streams of a new swarm, and runs its central parts over a connection of the caller. Resolves when the coordinator holds the
 * office; the caller stops the parts before it closes the connection.
 * @throws SwarmError of NATS; the signal's reason when it aborts. Then nothing runs.
 */
export async function runInside(options: {
  transport: Transport;
  /** The class of the agents, which has a stream of its own. */
  agentClass: string;
  /** False for a swarm without ballots, schedules and locks: then no coordinator runs. */
  withCoordinator: boolean;
  log: Logger;
  signal: AbortSignal;
}): Promise<{ stop(): Promise<void> }> {
  const { transport, agentClass, withCoordinator, log, signal } = options;
  const started: Service[] = [];
  const start = async (service: Service) => {
    started.push(service); // before its start: a start that fails half-way is stopped too
    await untilAborted(service.start(), signal);
  };
  const meter = createSilentMeter();
  try {
    await untilAborted(initSwarm(transport, log, { apply: true, classes: [agentClass] }), signal);
    await untilAborted(transport.clock.sync(), signal);
    await start(endWith("clock", transport.clock.keep()));
    await start(createMover({ transport, meter, log }));
    if (withCoordinator) {
      const parts = { transport, log, meter, tracer: NO_TRACER, processId: newInstanceId("coordinator") };
      const { services, findProblem } = assembleCoordinator(parts, ALONE, () => undefined);
      const { records, listeners, core, doors } = services;
      for (const service of [...records, ...listeners, ...core, ...doors]) await start(service);
      while (findProblem() !== null) await sleep(LOOK_EVERY_MS, { signal });
    }
    return { stop: () => stopAll(started) };
  } catch (error) {
    await stopAll(started).catch(() => undefined); // the first error tells more
    throw error;
  }
}
