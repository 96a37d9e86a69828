// The registrar keeps the registry up to date: every coordinator receives heartbeats, and the holder of the office commits
// the changes. Owns heartbeats, roll calls and probes; sightings.ts finds silent agents, and registry.ts applies the committed
// commands. placement.ts creates the registrar.
//
// P1  Every coordinator receives heartbeats, so that a new holder of the office already knows which agents live.
// P2  The registrar commits only changes: a heartbeat without a change costs no append.
// P3  The registrar retries a failed commit from the current sightings. It removes no agent for a silence that this process
//     caused.
import {
  createService,
  type Logger,
  type Meter,
  newId,
  type Service,
  singleFlight,
  sleep,
} from "../../base/index.ts";
import {
  type AgentStatus,
  classField,
  classOf,
  createSubjects,
  encode,
  type HostAddress,
  type HostRef,
  hostName,
  isSameHost,
  lastToken,
  parse,
} from "../../protocol/index.ts";
import type { Incoming, Subscription, Transport } from "../../transport/index.ts";
import type { Office } from "../office/office.ts";
import type { OfficeCommand } from "../state.ts";
import { isLeaving } from "./availability.ts";
import { toChunks } from "./chunks.ts";
import { anyAnswers, callRoll, DISCONNECTS, readDisconnected, readHeartbeat } from "./heartbeats.ts";
import { isKnown, type Profile, profileOf } from "./profile.ts";
import { agentsOn, LEAVE_REASONS, type LeaveReason, type Registry } from "./registry.ts";
import { Sightings } from "./sightings.ts";
import {
  type AgentPage,
  AgentView,
  agentRequestSchema,
  agentsRequestSchema,
  type ShownAgent,
} from "./view.ts";

/**
 * How often the registrar checks for silent agents, in ms. With this delay and the time of the append, an agent is removed
 * about 15.5 s after its last heartbeat.
 */
const SILENCE_CHECK_INTERVAL_MS = 250;
/** When two checks are further apart than this, in ms, this process was paused and could not receive heartbeats. */
const PROCESS_PAUSE_MS = 1_000;
/** How long the registrar waits for more changes before it commits them together, in ms. */
const GATHER_MS = 20;
/** The most commands in flight; further commands wait. */
const MAX_COMMANDS_IN_FLIGHT = 16;
/** How long a request about agents waits for the roll call of a new tenure, in ms. */
const ROLL_CALL_PATIENCE_MS = 1_000;
/**
 * The time that a host gets to reconnect before it is probed, in ms: the first try to reconnect comes after 50–150 ms. With the probe,
 * which NATS answers at once for a dead host, a crash is noticed within a second.
 */
const RECONNECT_GRACE_MS = 600;
/**
 * The time between the notice of a supervisor and the probe, in ms. A dead process does not reconnect, but each NATS server
 * needs a moment to drop its subscriptions: a ping sent before that would wait for an answer until {@link SILENCE_MS}.
 */
const DEATH_GRACE_MS = 100;
/** The most hosts that are probed at once; agents of further hosts are removed after {@link SILENCE_MS}. */
const MAX_PROBES = 256;
/** The most hosts with a log line about an agent with an oversized profile; each host gets one line. */
const MAX_UNFIT_HOSTS = 256;

/** An agent of a host. */
export interface AgentAddress extends HostRef {
  readonly id: string;
}

/** The ports of a registrar. */
interface RegistrarParts {
  transport: Transport;
  office: Office;
  log: Logger;
  meter: Meter;
  /** A monotonic clock, in ms; default `performance.now`. */
  nowMs?: () => number;
}

/** The registrar of one coordinator. */
export class Registrar {
  readonly service: Service;
  readonly #parts: RegistrarParts;
  readonly #nowMs: () => number;
  readonly #subjects;
  readonly #sightings: Sightings;
  readonly #view: AgentView;
  readonly #open: Subscription[] = [];
  readonly #heardListeners: ((status: AgentStatus) => void)[] = [];
  readonly #joinedListeners: (() => void)[] = [];
  readonly #goneListeners: ((agents: readonly AgentAddress[]) => void)[] = [];
  /** The changes to commit: ids of new or changed agents, and agents that left. */
  readonly #joining = new Set<string>();
  readonly #leaving = new Map<string, AgentAddress & { reason: LeaveReason }>();
  readonly #joinsInFlight = new Set<string>();
  readonly #probing = new Set<string>();
  readonly #unfit = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  readonly #commitOnce = singleFlight(() => this.#tryCommit());
  /** The last round of commits. */
  #committing: Promise<void> = Promise.resolve();
  /** The roll call in flight; null when there is none. */
  #rollCall: Promise<void> | null = null;
  #checkedAtMs: number;
  #isStopped = false;

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
    this.#nowMs = parts.nowMs ?? (() => performance.now());
    this.#subjects = createSubjects(parts.transport.prefix);
    this.#checkedAtMs = this.#nowMs();
    this.#sightings = new Sightings(this.#checkedAtMs);
    this.#view = new AgentView(this.#sightings);
    this.service = createService({
      name: "registrar",
      start: () => this.#start(),
      stop: () => this.#stop(),
    });
  }

  /** The last reported status of a member; null when this coordinator has received no heartbeat of it yet. */
  readonly statusOf: AgentView["find"] = (member) => this.#view.find(member);

  /** Answers the call `agents`. @throws SwarmError `invalid_input`. */
  async listAgents(body: unknown): Promise<AgentPage> {
    const { after } = parse(agentsRequestSchema, body, "agents");
    await Promise.all([this.#parts.office.barrier(), this.waitForRollCall()]);
    return this.#view.page(this.#registry, after);
  }

  /** Answers the call `agent`. @throws SwarmError `invalid_input`, `not_found`. */
  async showAgent(body: unknown): Promise<ShownAgent> {
    const { agent } = parse(agentRequestSchema, body, "agent");
    await Promise.all([this.#parts.office.barrier(), this.waitForRollCall()]);
    const equivocations = this.#parts.office.state.ballots.equivocators.get(agent) ?? 0;
    return { ...this.#view.show(this.#registry, agent), equivocations };
  }

  /** Calls `onHeard` for each agent status that the registrar accepts: of each heartbeat and each roll call. */
  onHeard(onHeard: (status: AgentStatus) => void): void {
    this.#heardListeners.push(onHeard);
  }

  /**
   * Calls `onGone`, while this coordinator holds the office, for agents whose leave is committed, and for agents that will
   * never take new work again.
   */
  onGone(onGone: (agents: readonly AgentAddress[]) => void): void {
    this.#goneListeners.push(onGone);
  }

  /** Calls `onJoined`, while this coordinator holds the office, after agents have joined or changed. */
  onJoined(onJoined: () => void): void {
    this.#joinedListeners.push(onJoined);
  }

  get #registry(): Registry {
    return this.#parts.office.state.registry;
  }

  get #isInOffice(): boolean {
    return this.#parts.office.tenure !== null;
  }

  /** True when this coordinator has received a heartbeat of the agent, whether or not the agent is registered yet. */
  isHeard(id: string): boolean {
    return this.#sightings.get(id)?.status != null;
  }

  /** Resolves when the roll call of a new tenure is over, or after a second. */
  async waitForRollCall(): Promise<void> {
    if (this.#rollCall === null) return;
    const patience = new AbortController();
    const waited = sleep(ROLL_CALL_PATIENCE_MS, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#rollCall, waited]);
    patience.abort();
  }

  #start(): void {
    const { transport, office } = this.#parts;
    const { bus } = transport;
    this.#open.push(
      bus.subscribe(this.#subjects.filters.allHeartbeats, (message) => this.#onHeartbeat(message)),
      bus.subscribe(DISCONNECTS, (message) => {
        this.#suspect(this.#isInOffice ? readDisconnected(message) : null, RECONNECT_GRACE_MS);
      }),
      bus.subscribe(this.#subjects.filters.allGone, ({ subject }) =>
        this.#suspect(lastToken(subject), DEATH_GRACE_MS),
      ),
      transport.onState((state) => {
        if (state !== "connected") return;
        this.#sightings.restartSilence(this.#nowMs());
        if (this.#isInOffice) this.#callRoll();
      }),
    );
    office.onTenure((tenure) => this.#onTenure(tenure !== null));
    this.#timer = setInterval(() => this.#checkSilence(), SILENCE_CHECK_INTERVAL_MS);
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#gathering);
    for (const subscription of this.#open) subscription.close();
    await this.#committing;
  }

  #onTenure(inOffice: boolean): void {
    this.#joining.clear();
    this.#leaving.clear();
    if (!inOffice || this.#isStopped) return;
    const nowMs = this.#nowMs();
    for (const { profile } of this.#registry.members.values()) {
      this.#sightings.presume(profile.id, profile, nowMs);
    }
    this.#callRoll();
  }

  // Heartbeats

  #onHeartbeat(message: Incoming): void {
    const beat = readHeartbeat(this.#subjects, message, this.#parts.log);
    for (const status of beat?.agents ?? []) {
      if (beat?.goodbye === true) this.#hearGoodbye(status);
      else this.#hear(status);
    }
  }

  #hear(status: AgentStatus): void {
    const { id } = status;
    const heard = this.#sightings.hear(status, this.#nowMs());
    if (heard.type === "full") return;
    if (heard.type === "conflict") {
      if (heard.isNews) this.#reportConflict(id, heard.kept, heard.refused);
      if (heard.kept !== hostName(status)) return;
    }
    for (const listener of this.#heardListeners) listener(status);
    if (!this.#isInOffice) return;
    const leaving = this.#leaving.get(id);
    if (leaving !== undefined && isSameHost(leaving, status)) this.#leaving.delete(id);
    const member = this.#registry.members.get(id);
    // P2
    if (member === undefined || !isKnown(member.profile, status)) {
      this.#joining.add(id);
      this.#gather();
    }
    const wasLeaving = heard.type === "heard" && heard.before !== null && isLeaving(heard.before);
    if (!wasLeaving && isLeaving(status)) this.#reportGone([addressOf(status)]);
  }

  #hearGoodbye(status: AgentStatus): void {
    const { id } = status;
    if (this.#sightings.get(id) !== undefined && !this.#sightings.forget(id, status)) return;
    this.#joining.delete(id);
    this.#leave(addressOf(status), "goodbye");
  }

  #reportConflict(id: string, kept: string, refused: string): void {
    const { log, meter, transport } = this.#parts;
    if (!this.#isInOffice) return; // only the holder of the office reports it
    meter.agentConflicts.inc();
    log.error(
      { alert: "agent_conflict", agent: id, kept, refused },
      "two hosts have an agent with this id; the agent that started later stays registered",
    );
    transport.bus.publish(
      this.#subjects.event("agent", id, "conflict"),
      encode({ agent: id, kept, refused }),
    );
  }

  #reportGone(agents: readonly AgentAddress[]): void {
    for (const listener of this.#goneListeners) listener(agents);
  }

  #callRoll(): void {
    const { transport, log } = this.#parts;
    const call = async () => {
      const agents = await callRoll(transport, (status) => this.#hear(status));
      if (!this.#isInOffice) return;
      log.info({ agents, registered: this.#registry.members.size }, "roll call of agents done");
      await this.#commit();
    };
    const calling = call()
      .catch((error: unknown) =>
        log.warn({ err: error }, "roll call failed; agents are registered with their next heartbeats"),
      )
      .finally(() => {
        if (this.#rollCall === calling) this.#rollCall = null;
      });
    this.#rollCall = calling;
  }

  // Silence

  #checkSilence(): void {
    const nowMs = this.#nowMs();
    const wasDelayed =
      nowMs - this.#checkedAtMs > PROCESS_PAUSE_MS || this.#parts.transport.state !== "connected";
    this.#checkedAtMs = nowMs;
    if (wasDelayed) this.#sightings.restartSilence(nowMs); // P3
    for (const sighting of this.#sightings.takeSilent(nowMs)) this.#leave(addressOf(sighting), "missing");
    if (this.#joining.size + this.#leaving.size > 0) this.#gather();
  }

  #leave(agent: AgentAddress, reason: LeaveReason): void {
    const { id } = agent;
    if (!this.#isInOffice) return;
    // A goodbye may come while the join is in flight.
    const member = this.#registry.members.get(id);
    const isRegistered = member !== undefined && isSameHost(member.profile, agent);
    if (!isRegistered && !this.#joinsInFlight.has(id)) return;
    this.#leaving.set(id, { ...agent, reason });
    this.#gather();
  }

  /** Probes a host that is reported dead. The report alone removes no agent: it may be late, wrong or forged. */
  #suspect(host: string | null, graceMs: number): void {
    if (!this.#isInOffice || host === null) return;
    if (this.#probing.has(host) || this.#probing.size >= MAX_PROBES) return;
    if (!this.#registry.byHost.has(host)) return;
    this.#probing.add(host);
    void this.#probe(host, graceMs).finally(() => this.#probing.delete(host));
  }

  /**
   * Sends a request to agents of a host after `graceMs`. If no agent answers, all agents of the host leave. The report names no
   * class, so the registrar probes the hosts of that name in all classes, each by itself.
   */
  async #probe(host: string, graceMs: number): Promise<void> {
    await sleep(graceMs);
    if (!this.#isInOffice) return;
    const { byHost, members } = this.#registry;
    const classes = new Set(
      [...(byHost.get(host) ?? [])].map((id) => classOf(members.get(id)?.profile ?? {})),
    );
    await Promise.all([...classes].map((of) => this.#probeOne({ class: of, host })));
  }

  async #probeOne(at: HostAddress): Promise<void> {
    const { transport } = this.#parts;
    const ids = agentsOn(this.#registry, at);
    const lives = await anyAnswers(
      transport,
      ids.map((agent) => ({ class: at.class, agent })),
    );
    if (lives || !this.#isInOffice || transport.state !== "connected") return;
    for (const id of ids) {
      this.#sightings.forget(id, at);
      this.#leave({ id, ...at }, "disconnected");
    }
  }

  // Commits

  #gather(): void {
    if (this.#isStopped) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      void this.#commit();
    }, GATHER_MS);
  }

  /** Commits the changes, one round at a time. */
  #commit(): Promise<void> {
    this.#committing = this.#commitOnce();
    return this.#committing;
  }

  async #tryCommit(): Promise<void> {
    try {
      await this.#commitAll();
    } catch (error) {
      this.#parts.log.error({ err: error }, "registry not updated");
    }
  }

  async #commitAll(): Promise<void> {
    const leaving = [...this.#leaving.values()];
    this.#leaving.clear();
    for (const reason of LEAVE_REASONS) {
      const agents = leaving.filter((each) => each.reason === reason).map(addressOf);
      await this.#submitAll(agents, (chunk) => ({ type: "members-leave", reason, agents: chunk }), {
        done: (chunk) => {
          this.#parts.log.info({ reason, agents: chunk.length, first: chunk[0] }, "agents left");
          this.#reportGone(chunk);
        },
        // P3: a goodbye is retried; for other reasons the agent's silence is measured from now on.
        failed: (chunk) => {
          for (const agent of chunk) {
            if (reason === "goodbye") this.#leaving.set(agent.id, { ...agent, reason });
            else this.#sightings.presume(agent.id, agent, this.#nowMs());
          }
        },
      });
    }
    const joining = [...this.#joining]
      .map((id) => this.#findChange(id))
      .filter((profile) => profile !== null);
    this.#joining.clear();
    for (const { id } of joining) this.#joinsInFlight.add(id);
    await this.#submitAll(joining, (agents) => ({ type: "members-join", agents }), {
      done: () => {
        for (const listener of this.#joinedListeners) listener();
      },
      failed: (chunk) => {
        for (const { id } of chunk) this.#joining.add(id);
      },
    });
    this.#joinsInFlight.clear();
  }

  /** The profile to commit for an agent; null when there is nothing to commit, or the profile exceeds the bounds. */
  #findChange(id: string): Profile | null {
    const status = this.#sightings.get(id)?.status ?? null;
    if (status === null) return null;
    const member = this.#registry.members.get(id);
    if (member !== undefined && isKnown(member.profile, status)) return null;
    const profile = profileOf(status);
    if (profile === null && !this.#unfit.has(status.host) && this.#unfit.size < MAX_UNFIT_HOSTS) {
      this.#unfit.add(status.host);
      this.#parts.log.warn(
        { agent: id, host: status.host },
        "agent not registered: its profile exceeds the bounds",
      );
    }
    return profile;
  }

  async #submitAll<T>(
    items: readonly T[],
    toCommand: (chunk: T[]) => OfficeCommand,
    outcome: { done(chunk: T[]): void; failed(chunk: T[]): void },
  ): Promise<void> {
    const chunks = toChunks(items);
    for (let from = 0; from < chunks.length; from += MAX_COMMANDS_IN_FLIGHT) {
      const round = chunks.slice(from, from + MAX_COMMANDS_IN_FLIGHT);
      await Promise.all(
        round.map(async (chunk) => {
          try {
            await this.#parts.office.submit(newId(), toCommand(chunk));
            outcome.done(chunk);
          } catch (error) {
            if (!this.#isInOffice) return; // the next holder finds the change itself
            this.#parts.log.info({ err: error }, "registry change not committed; retrying");
            outcome.failed(chunk);
          }
        }),
      );
    }
  }
}

/** The address of an agent, as the log has it: without the class `default`. */
function addressOf(agent: AgentAddress): AgentAddress {
  return { id: agent.id, ...classField(agent), host: agent.host };
}
