// The state of a view: it reads its data, again after a time and after hints of the stream, and knows how old the data are.
// L1: a view has one read in flight; a later one begins a moment after the end of the one before.
// L2: a hidden page reads nothing.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, serverNow } from "./api.ts";
import { type Filter, HintStream, type StreamState } from "./stream.ts";

/** The shortest time between two reads, in ms: a change is seen within a second, and a busy swarm does not ask without a pause. */
const SHORTEST_PAUSE_MS = 500;
/** The time from a hint to its read, in ms: hints come in groups. */
const HINT_DELAY_MS = 100;

/** The data of a view. */
export interface Live<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  /** When the data were read, by the clock of the API. */
  readonly atMs: number | undefined;
  reload(): void;
}

type Listener = () => void;
const hinted = new Set<Listener>();
const stateListeners = new Set<Listener>();
let streamState: StreamState = "connecting";

const stream = new HintStream({
  onHint: () => {
    for (const listener of hinted) listener();
  },
  onState: (state) => {
    streamState = state;
    for (const listener of stateListeners) listener();
  },
});

/** Ends the stream, at a logout. */
export function stopStream(): void {
  stream.stop();
}

/** The state of the stream. */
export function useStream(): StreamState {
  const [state, setState] = useState(streamState);
  useEffect(() => {
    const listener = () => setState(streamState);
    stateListeners.add(listener);
    listener();
    return () => void stateListeners.delete(listener);
  }, []);
  return state;
}

/**
 * Reads the data of a view while it is shown. `key` names them: other data begin anew. `follow`: the events that are hints for them.
 */
export function useLive<T>(
  key: string,
  read: (signal: AbortSignal) => Promise<T>,
  { everyMs, follow }: { everyMs: number | ((data: T | undefined) => number); follow?: Filter },
): Live<T> {
  const [shown, setShown] = useState<Omit<Live<T>, "reload"> & { key: string }>({
    ...{ key, data: undefined, error: undefined, atMs: undefined },
  });
  const reader = useRef(read);
  reader.current = read;
  const reload = useRef<() => void>(() => undefined);
  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isReading = false;
    let endedAtMs = 0;
    let isAsked = false;
    let last: T | undefined;
    const pauseMs = () => (typeof everyMs === "number" ? everyMs : everyMs(last));
    const again = (delayMs: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => void readOnce(), delayMs);
    };
    const readOnce = async (): Promise<void> => {
      if (document.hidden || isReading) {
        isAsked = true; // L1, L2
        return;
      }
      isReading = true;
      isAsked = false;
      try {
        const data = await reader.current(leaving.signal);
        if (leaving.signal.aborted) return;
        last = data;
        setShown({ key, data, error: undefined, atMs: serverNow() });
      } catch (error) {
        if (leaving.signal.aborted) return;
        const failure = error instanceof ApiError ? error : undefined;
        if (failure === undefined) throw error;
        setShown((before) => ({ ...(before.key === key ? before : EMPTY), key, error: failure }));
      } finally {
        isReading = false;
        endedAtMs = performance.now();
        if (!leaving.signal.aborted) again(isAsked ? SHORTEST_PAUSE_MS : pauseMs());
      }
    };
    const hint = () => {
      if (isReading) {
        isAsked = true;
        return;
      }
      again(Math.max(HINT_DELAY_MS, SHORTEST_PAUSE_MS - (performance.now() - endedAtMs)));
    };
    const show = () => {
      if (!document.hidden && isAsked) again(0);
    };
    reload.current = () => again(0);
    hinted.add(hint);
    document.addEventListener("visibilitychange", show);
    stream.follow(follow ?? QUIET);
    void readOnce();
    return () => {
      leaving.abort();
      clearTimeout(timer);
      hinted.delete(hint);
      document.removeEventListener("visibilitychange", show);
    };
  }, [key]);
  const own = shown.key === key ? shown : EMPTY;
  return {
    data: own.data as T | undefined,
    error: own.error,
    atMs: own.atMs,
    reload: () => reload.current(),
  };
}

const EMPTY = { data: undefined, error: undefined, atMs: undefined };
/** The filter of a view that no events are about: the office changes seldom, and the stream tells whether it stands. */
const QUIET: Filter = { kind: "office" };

/** The parts of the page that show ages. One timer serves all, so that a page of rows is drawn once a second and not once for each row. */
const ageListeners = new Set<(nowMs: number) => void>();
let ageTimer: ReturnType<typeof setInterval> | undefined;

function hearAges(listener: (nowMs: number) => void): () => void {
  ageListeners.add(listener);
  ageTimer ??= setInterval(() => {
    if (document.hidden) return;
    const nowMs = serverNow();
    for (const each of ageListeners) each(nowMs);
  }, 1_000);
  return () => {
    ageListeners.delete(listener);
    if (ageListeners.size > 0) return;
    clearInterval(ageTimer);
    ageTimer = undefined;
  };
}

/** A text that depends on the time of the API, made anew each second: the part is drawn again only when the text has changed. */
export function useTimed(textOf: (nowMs: number) => string): string {
  const maker = useRef(textOf);
  maker.current = textOf;
  const [, setText] = useState(() => textOf(serverNow()));
  useEffect(() => hearAges((nowMs) => setText(maker.current(nowMs))), []);
  return textOf(serverNow());
}

/** The time of the API, again each second. */
export function useNow(): number {
  const [nowMs, setNow] = useState(serverNow);
  useEffect(() => hearAges(setNow), []);
  return nowMs;
}
