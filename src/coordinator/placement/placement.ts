// What a coordinator knows of agents, and does for tasks that are placed, put together: the registrar, the placing and the
// returning, with what the office answers of them.
import { createService, type Logger, type Meter, type Service, stopAll } from "../../base/index.ts";
import type { PlacedAddress } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { Office } from "../office/office.ts";
import type { OfficeAnswers } from "../office/server.ts";
import { createRegistrar } from "../registry/registrar.ts";
import { createPlacing, type Placing } from "./placer.ts";
import { createReturning } from "./reclaimer.ts";

/** The registry of agents and the placement of tasks, as one coordinator takes part in them. */
export interface Placement {
  /** Start it before the office: it wants to hear of every change of its holder. */
  readonly service: Service;
  /** For the office's server. */
  readonly answers: OfficeAnswers;
  /** Picks several agents for one question. */
  readonly pick: Placing["pick"];
  /** For whoever seats those that were picked. */
  readonly seats: Placing["seats"];
  /** Resolves when it is known which agents live; before that, whoever took the office just now picks nobody. */
  knowsWhoLives(): Promise<void>;
  /** Calls `onQuestion` for each ballot's question that is placed on an agent which will not answer it. */
  onQuestion(onQuestion: (at: PlacedAddress) => void): void;
}

/** Makes a coordinator's part in registry and placement. */
export function createPlacement(parts: {
  transport: Transport;
  office: Office;
  log: Logger;
  meter: Meter;
  /** Seed of the exploration of agents. */
  seed: number;
}): Placement {
  const registrar = createRegistrar(parts);
  const placing = createPlacing({ ...parts, registrar });
  const listeners: ((at: PlacedAddress) => void)[] = [];
  const returning = createReturning({
    ...parts,
    registrar,
    onReturned: (taskId) => placing.forget(taskId),
    onQuestion: (at) => {
      for (const listener of listeners) listener(at);
    },
  });
  // The registrar first: it calls the roll of a new tenure before the others look who lives.
  const services = [registrar.service, placing.service, returning];
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
      place: (body) => placing.place(body),
    },
    pick: (request) => placing.pick(request),
    seats: placing.seats,
    knowsWhoLives: () => registrar.knowsWhoLives(),
    onQuestion: (listener) => listeners.push(listener),
  };
}
