// Creates the placement services of one coordinator and connects them: the registrar, which keeps the registry of agents; the
// placer, which chooses agents; the keeper of the hosts' consumers; and the reclaimer, which returns tasks to their queue when their
// agent leaves. The app starts
// the result, and ballots use it to find agents.
import { createService, type Logger, type Meter, type Service, stopAll } from "../../base/index.ts";
import type { PlacedAddress } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { Office } from "../office/office.ts";
import type { OfficeAnswers } from "../office/server.ts";
import { Registrar } from "../registry/registrar.ts";
import { PlacedConsumers } from "./placed-consumers.ts";
import { Placer } from "./placer.ts";
import { Reclaimer } from "./reclaimer.ts";

/** One coordinator's service for the registry of agents and the placement of tasks. */
export interface Placement {
  readonly service: Service;
  /** The answers to calls about agents and placement, for the office's server. */
  readonly answers: OfficeAnswers;
  /** Picks several agents for one question. */
  readonly pick: Placer["pick"];
  /** Counts the seats of ballots as load of their agents. */
  readonly seats: Placer["seats"];
  /** Resolves when the roll call of a new tenure is over, or after 1 s. Before that, choices may miss live agents. */
  waitForRollCall(): Promise<void>;
  /** Calls `onQuestion` for each question of a ballot whose agent has left, or will leave before it starts the question. */
  onQuestion(onQuestion: (at: PlacedAddress) => void): void;
}

/** Creates a coordinator's part in registry and placement. */
export function createPlacement(parts: {
  transport: Transport;
  office: Office;
  log: Logger;
  meter: Meter;
  /** The seed of the placer's random numbers, which explore agents with few outcomes. */
  seed: number;
}): Placement {
  const registrar = new Registrar(parts);
  const placer = new Placer({ ...parts, registrar });
  const listeners: ((at: PlacedAddress) => void)[] = [];
  const reclaimer = new Reclaimer({
    ...parts,
    registrar,
    onReturned: (taskId) => placer.forget(taskId),
    onQuestion: (at) => {
      for (const listener of listeners) listener(at);
    },
  });
  const consumers = new PlacedConsumers({ ...parts, registrar });
  // The registrar first: in a new tenure it calls the roll before the others ask which agents live.
  const services = [registrar.service, placer.service, consumers.service, reclaimer.service];
  return {
    service: createService({
      name: "placement",
      async start() {
        for (const service of services) await service.start();
      },
      stop: () => stopAll(services),
    }),
    answers: {
      agents: (body) => registrar.listAgents(body),
      agent: (body) => registrar.showAgent(body),
      place: (body) => placer.place(body),
    },
    pick: (request) => placer.pick(request),
    seats: placer.seats,
    waitForRollCall: () => registrar.waitForRollCall(),
    onQuestion: (listener) => listeners.push(listener),
  };
}
