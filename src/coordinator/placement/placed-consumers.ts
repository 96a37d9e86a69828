// The consumers of placed tasks: one for each host, in the stream of the host's class. The holder of the office makes and removes
// them, so that an agent's NATS user needs no right to create a consumer; the host only pulls from its own. placement.ts makes
// the keeper.
//
// O1  A host has a consumer before, or soon after, the office can choose one of its agents. A task that is placed earlier waits in
//     the stream.
// O2  The keeper compares the consumers with the registry when this coordinator takes the office, after each change of the hosts,
//     and every ten seconds. So it mends everything that it missed.
// O3  The keeper removes no consumer before the roll call of its tenure is over, and none of a host with an agent. A removed
//     consumer loses no message.
import { createService, type Logger, type Service, singleFlight } from "../../base/index.ts";
import {
  classOf,
  createSubjects,
  type HostAddress,
  hostName,
  placedKey,
  type Subjects,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { hostOfConsumer, placedConsumer } from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import type { Registrar } from "../registry/registrar.ts";
import { agentsOn } from "../registry/registry.ts";

/** The time between two comparisons of the consumers with the registry, in ms (O2). */
const COMPARE_INTERVAL_MS = 10_000;
/**
 * How long the server keeps a consumer without an open pull, in ms, for hosts that leave while no coordinator is in office. A
 * longer outage of a host's connection loses its delivery counts.
 */
const PLACED_INACTIVE_MS = 300_000;
/** The most requests about consumers at the same time: a thousand hosts may join at once. */
const MAX_CONSUMER_REQUESTS = 16;

interface KeeperParts {
  transport: Transport;
  office: Office;
  registrar: Pick<Registrar, "onJoined" | "onGone" | "waitForRollCall">;
  log: Logger;
}

/** Makes and removes the consumers of placed tasks while this coordinator holds the office. */
export class PlacedConsumers {
  readonly service: Service;
  readonly #parts: KeeperParts;
  readonly #subjects: Subjects;
  readonly #compareOnce = singleFlight(() => this.#tryCompare());
  /** The classes without a stream that were logged; each gets one line. */
  readonly #logged = new Set<string>();
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #comparing: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#subjects = createSubjects(parts.transport.prefix);
    this.service = createService({
      name: "consumers of placed tasks",
      start: () => this.#start(),
      stop: () => this.#stop(),
    });
  }

  #start(): void {
    const { office, registrar } = this.#parts;
    office.onTenure((tenure) => {
      if (tenure !== null) this.#compare();
    });
    registrar.onJoined(() => this.#compare());
    registrar.onGone(() => this.#compare());
    this.#timer = setInterval(() => this.#compare(), COMPARE_INTERVAL_MS);
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#comparing;
  }

  get #isInOffice(): boolean {
    return this.#parts.office.tenure !== null && !this.#isStopped;
  }

  #compare(): void {
    if (!this.#isInOffice) return;
    this.#isDue = true;
    this.#comparing = this.#compareOnce();
  }

  async #tryCompare(): Promise<void> {
    try {
      while (this.#isDue && this.#isInOffice) {
        this.#isDue = false; // a change during the comparison asks for the next one
        await this.#makeMissing();
        await this.#parts.registrar.waitForRollCall(); // O3
        await this.#removeLeft();
      }
    } catch (error) {
      this.#parts.log.warn({ err: error }, "consumers of placed tasks not compared; retrying in 10 s");
    }
  }

  /** The hosts of the registry, by class. */
  #hosts(): Map<string, Map<string, HostAddress>> {
    const hosts = new Map<string, Map<string, HostAddress>>();
    for (const { profile } of this.#parts.office.state.registry.members.values()) {
      const at = { class: classOf(profile), host: profile.host };
      const known = hosts.get(at.class) ?? new Map<string, HostAddress>();
      hosts.set(at.class, known.set(at.host, at));
    }
    return hosts;
  }

  async #makeMissing(): Promise<void> {
    for (const [agentClass, hosts] of this.#hosts()) {
      const queue = this.#parts.transport.queue(placedKey(agentClass));
      try {
        const names = new Set((await queue.consumers()).map(({ name }) => name));
        const missing = [...hosts.values()].filter(({ host }) => !names.has(placedConsumer(host)));
        await inBatches(missing, async (at) => {
          if (!this.#isInOffice || !this.#hasAgents(at)) return;
          const filter = this.#subjects.filters.placedOnHost(at);
          await queue.consumer({
            name: placedConsumer(at.host),
            filter,
            inactiveMs: PLACED_INACTIVE_MS,
          });
          this.#parts.log.debug({ host: hostName(at) }, "consumer of placed tasks made");
        });
      } catch (error) {
        if (this.#logged.has(agentClass)) continue;
        this.#logged.add(agentClass);
        this.#parts.log.warn(
          { err: toSwarmError(error), class: agentClass },
          "consumers of placed tasks of this class not made; placed tasks wait. If its stream is missing, murmur init creates it for the class in MURMUR_AGENT_CLASS",
        );
      }
    }
  }

  /** Removes the consumers of hosts without agents: no task will be placed there, and no host pulls from them. */
  async #removeLeft(): Promise<void> {
    for (const agentClass of await this.#parts.transport.placedClasses()) {
      const queue = this.#parts.transport.queue(placedKey(agentClass));
      const left = (await queue.consumers()).flatMap(({ name }) => {
        const host = hostOfConsumer(name);
        return host === null || this.#hasAgents({ class: agentClass, host }) ? [] : { name, host };
      });
      await inBatches(left, async ({ name, host }) => {
        if (!this.#isInOffice || this.#hasAgents({ class: agentClass, host })) return;
        await queue.deleteConsumer(name);
      });
    }
  }

  #hasAgents(at: HostAddress): boolean {
    return agentsOn(this.#parts.office.state.registry, at).length > 0;
  }
}

/** Runs the action for each item, at most {@link MAX_CONSUMER_REQUESTS} at once. */
async function inBatches<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += MAX_CONSUMER_REQUESTS) {
    await Promise.all(items.slice(from, from + MAX_CONSUMER_REQUESTS).map(run));
  }
}
