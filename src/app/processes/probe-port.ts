// The port of a process's probes. It listens before the process loads the libraries and rooms that it works with, which takes most of the
// time of a start: so a pod is seen to live within half a second. Until the process serves its own routes there, this file answers.
// P1: /livez answers 200 from the first moment on. /readyz is 503 and names the stage, until the process's own conditions replace it.
import type { RequestListener } from "node:http";
import type { Ports } from "../cli/command.ts";
import { takePortNear } from "../http/port.ts";

/** The stage of a process between its first line and its end: null while it does its work. `stopping` is the last one. */
export class Stage {
  #now: string | null;

  constructor(first: string) {
    this.#now = first;
  }

  enter(stage: string | null): void {
    if (this.#now !== "stopping") this.#now = stage;
  }

  get problem(): string | null {
    return this.#now;
  }
}

/** The probes of a process, which listen. */
export interface ProbePort {
  readonly url: string;
  /** True: the port of the setting's default was taken, so this is another one. */
  readonly isMoved: boolean;
  /** The process tells its stages here; the abort of its signal is the last one. */
  readonly stage: Stage;
  /** Answers with the routes of the process from now on. */
  serve(listener: RequestListener): void;
  close(): Promise<void>;
}

/** Listens for the probes. @throws SwarmError `conflict` for a taken port that was chosen. */
export async function openProbePort({
  config,
  sources,
  signal,
}: Pick<Ports, "config" | "sources" | "signal">): Promise<ProbePort> {
  const stage = new Stage("loading the program");
  signal.addEventListener("abort", () => stage.enter("stopping"), { once: true });
  let listener = answerEarly(stage);
  const { url, isMoved, close } = await takePortNear((request, response) => listener(request, response), {
    host: config.metricsHost,
    port: config.metricsPort,
    what: "/metrics",
    isChosen: sources.metricsPort !== "default",
  });
  return {
    url,
    isMoved,
    stage,
    serve: (routes) => {
      listener = routes;
    },
    close,
  };
}

/** The answers of a process that has loaded nothing yet (P1). */
function answerEarly(stage: Stage): RequestListener {
  return ({ url = "" }, response) => {
    const [path] = url.split("?", 1);
    const isLive = path === "/livez";
    response.writeHead(isLive ? 200 : 503, { "Content-Type": "text/plain; charset=UTF-8" });
    response.end(isLive ? "ok\n" : `FAIL started: ${stage.problem}\n`);
  };
}
