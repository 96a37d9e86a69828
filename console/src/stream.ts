// The stream of hints: one WebSocket to `/v1/events` with the filter of the view that is shown. An event only says that a view should read
// its state again.
// T1: the page knows whether the stream stands: figures of a page without a stream count as old.
// T2: a lost stream connects again, with growing pauses; each reconnect is a hint, because events were missed.

/** The filter of a stream. */
export interface Filter {
  readonly kind?: string | undefined;
  readonly id?: string | undefined;
}

/** The state of the stream. */
export type StreamState = "connecting" | "live" | "lost";

/** The pauses before a reconnect, in ms. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A stream that is silent for this long is lost, in ms: the API pings every 15 s, but a browser does not show pings, so a probe asks. */
const PROBE_EVERY_MS = 10_000;

/** One stream. */
export class HintStream {
  readonly #onHint: () => void;
  readonly #onState: (state: StreamState) => void;
  #socket: WebSocket | undefined;
  #filter: Filter = {};
  #pauseMs = FIRST_PAUSE_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #probe: ReturnType<typeof setInterval> | undefined;
  #state: StreamState = "connecting";

  constructor(parts: { onHint: () => void; onState: (state: StreamState) => void }) {
    this.#onHint = parts.onHint;
    this.#onState = parts.onState;
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Follows the events of this filter from now on. */
  follow(filter: Filter): void {
    const isSame = this.#filter.kind === filter.kind && this.#filter.id === filter.id;
    if (isSame && this.#socket !== undefined) return;
    this.#filter = filter;
    this.#connect();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#probe);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #connect(): void {
    this.stop();
    const query = new URLSearchParams(
      Object.entries(this.#filter).filter((field): field is [string, string] => field[1] !== undefined),
    );
    const url = new URL(`/v1/events?${query}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (this.#socket === socket) this.#take(String(data));
    });
    socket.addEventListener("close", () => {
      if (this.#socket === socket) this.#lose();
    });
    // A dead network shows in no event: a request does.
    this.#probe = setInterval(() => void this.#ask(socket), PROBE_EVERY_MS);
  }

  async #ask(socket: WebSocket): Promise<void> {
    const isThere = await fetch("/livez", { signal: AbortSignal.timeout(PROBE_EVERY_MS / 2) }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (!isThere && this.#socket === socket) this.#lose();
  }

  #take(text: string): void {
    const { event } = JSON.parse(text) as { event: string };
    if (event === "stop") this.#pauseMs = FIRST_PAUSE_MS;
    if (event !== "event") return;
    if (this.#state !== "live") {
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#set("live");
    }
    this.#onHint(); // T2: the first event of a stream is its beginning
  }

  #lose(): void {
    this.stop();
    this.#set("lost");
    this.#timer = setTimeout(() => this.#connect(), this.#pauseMs);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }

  #set(state: StreamState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#onState(state);
  }
}
