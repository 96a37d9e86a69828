// A real Prometheus with the rules of a drill, and an Alertmanager where it is installed. Owns both processes and their files; tells the
// values of queries, and the alerts that fired.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rulesFile } from "../../../src/app/alerts/rules-file.ts";
import { drillTime } from "../../../src/app/alerts/time.ts";
import { sleep } from "../../../src/base/index.ts";
import { guardProcess } from "../../../test/support/nats-server.ts";

/** The job of the swarm. */
export const JOB = "drill";
/** The time between two scrapes and two evaluations of the rules, in seconds: the shortest window of a drill is four of them. */
const SCRAPE_SECONDS = 1;
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 100;
const STOP_TIMEOUT_MS = 5_000;
/** The longest time of a query; Prometheus is on this machine. */
const QUERY_TIMEOUT_MS = 60_000;
/** Debian names it so; the release archive has the short name. */
const ALERTMANAGERS = ["prometheus-alertmanager", "alertmanager"];

/** One sample of an instant query. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The rules and the programs of a monitor. */
export interface MonitorOptions {
  /** The windows of the rules are this many times shorter. */
  readonly factor: number;
  /** False: without Alertmanager. Default: with it, where it is installed. */
  readonly sends?: boolean;
  /** Changes the text of the rules. */
  readonly edit?: (rules: string) => string;
}

/** True when the program can be started. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const socket = createSocket();
  await new Promise<void>((resolve) => socket.listen(0, "127.0.0.1", resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

/** Prometheus, its targets and its alerts. */
export class Monitor {
  readonly #folder = mkdtempSync(join(tmpdir(), "murmur-alerts-"));
  readonly #children: { child: ChildProcess; dismiss: () => void }[] = [];
  #url = "";
  /** The names of the alerts that Alertmanager has sent on; undefined where it is not installed. */
  sent: Set<string> | undefined;
  #receiver: ReturnType<typeof createServer> | undefined;

  /** Starts both programs. */
  static async start(options: MonitorOptions): Promise<Monitor> {
    const monitor = new Monitor();
    try {
      await monitor.#start(options);
      return monitor;
    } catch (error) {
      await monitor.stop();
      throw error;
    }
  }

  async #start({ factor, sends = true, edit = (rules) => rules }: MonitorOptions): Promise<void> {
    const alertmanager = sends ? ALERTMANAGERS.find(isInstalled) : undefined;
    const alertmanagerPort = alertmanager === undefined ? null : await this.#startAlertmanager(alertmanager);
    this.setTargets([]);
    this.#write("rules.yaml", edit(rulesFile(drillTime(factor))));
    this.#write(
      "prometheus.yml",
      JSON.stringify({
        global: { scrape_interval: `${SCRAPE_SECONDS}s`, evaluation_interval: `${SCRAPE_SECONDS}s` },
        rule_files: [join(this.#folder, "rules.yaml")],
        scrape_configs: [
          {
            job_name: JOB,
            file_sd_configs: [{ files: [join(this.#folder, "targets.json")], refresh_interval: "1s" }],
          },
        ],
        ...(alertmanagerPort === null
          ? {}
          : {
              alerting: {
                alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanagerPort}`] }] }],
              },
            }),
      }),
    );
    const port = await freePort();
    this.#url = `http://127.0.0.1:${port}`;
    const died = this.#run("prometheus", [
      `--config.file=${join(this.#folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(this.#folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ]);
    await Promise.race([this.#untilReady(`${this.#url}/-/ready`), died]);
  }

  /** Starts Alertmanager, and a receiver that notes the names of the alerts. */
  async #startAlertmanager(program: string): Promise<number> {
    const sent = new Set<string>();
    this.sent = sent;
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => {
        const { alerts = [] } = JSON.parse(body) as {
          alerts?: { status: string; labels: { alertname: string } }[];
        };
        for (const { status, labels } of alerts) if (status === "firing") sent.add(labels.alertname);
        response.end();
      });
    });
    this.#receiver = receiver;
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    this.#write(
      "alertmanager.yml",
      JSON.stringify({
        route: {
          receiver: "rig",
          group_by: ["alertname"],
          group_wait: "1s",
          group_interval: "1s",
          repeat_interval: "1h",
        },
        receivers: [{ name: "rig", webhook_configs: [{ url }] }],
      }),
    );
    const port = await freePort();
    const died = this.#run(program, [
      `--config.file=${join(this.#folder, "alertmanager.yml")}`,
      `--storage.path=${join(this.#folder, "alertmanager")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
      "--log.level=warn",
    ]);
    await Promise.race([this.#untilReady(`http://127.0.0.1:${port}/-/ready`), died]);
    return port;
  }

  /** Scrapes these addresses (host:port) from now on. */
  setTargets(targets: readonly string[]): void {
    this.#write("targets.json", JSON.stringify([{ targets }]));
  }

  /** The samples of a query now. @throws Error with the message of Prometheus. */
  async query(expr: string): Promise<Sample[]> {
    const { result } = await this.#ask("query", { query: expr });
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value?.[1]) }));
  }

  /** The highest value of each series of a query since `fromMs`, Unix ms, without NaN. @throws Error with the message of Prometheus. */
  async highestSince(expr: string, fromMs: number): Promise<Sample[]> {
    const { result } = await this.#askRange(expr, fromMs);
    return result.flatMap(({ metric, values = [] }) => {
      const numbers = values.map(([, value]) => Number(value)).filter((value) => !Number.isNaN(value));
      return numbers.length === 0 ? [] : [{ labels: metric, value: Math.max(...numbers) }];
    });
  }

  /** The values that a query had at any time since `fromMs`, Unix ms, without NaN. @throws Error with the message of Prometheus. */
  async valuesSince(expr: string, fromMs: number): Promise<number[]> {
    const { result } = await this.#askRange(expr, fromMs);
    const values = result.flatMap(({ values: each = [] }) => each.map(([, value]) => Number(value)));
    return values.filter((value) => !Number.isNaN(value));
  }

  #askRange(expr: string, fromMs: number) {
    const [start, end] = [fromMs / 1_000, Date.now() / 1_000];
    const step = Math.max(SCRAPE_SECONDS, Math.ceil((end - start) / 1_000));
    return this.#ask("query_range", {
      query: expr,
      start: String(start),
      end: String(end),
      step: String(step),
    });
  }

  /** The names of the alerts that fire now, without the watchdog. */
  async firing(): Promise<string[]> {
    return this.#alertNames('ALERTS{alertstate="firing"}');
  }

  /** The names of the alerts that fired at any time since `fromMs`, Unix ms, without the watchdog. */
  async firedSince(fromMs: number): Promise<string[]> {
    const seconds = Math.max(SCRAPE_SECONDS, Math.ceil((Date.now() - fromMs) / 1_000));
    return this.#alertNames(`count_over_time(ALERTS{alertstate="firing"}[${seconds}s])`);
  }

  async #alertNames(expr: string): Promise<string[]> {
    const samples = await this.query(`count by (alertname) (${expr})`);
    const names = samples.map(({ labels }) => labels.alertname ?? "");
    return names.filter((name) => name !== "MurmurWatchdog").sort();
  }

  async #ask(
    what: "query" | "query_range",
    fields: Record<string, string>,
  ): Promise<{
    result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[];
  }> {
    const answer = await fetch(`${this.#url}/api/v1/${what}`, {
      method: "POST",
      body: new URLSearchParams(fields),
      signal: AbortSignal.timeout(QUERY_TIMEOUT_MS),
    });
    const body = (await answer.json()) as { status: string; error?: string; data: never };
    if (body.status !== "success") throw new Error(`${fields.query}: ${body.error}`);
    return body.data;
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#folder, name), text);
  }

  /** Starts a program; rejects when it ends by itself. */
  #run(program: string, args: readonly string[]): Promise<never> {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    const guard = guardProcess(child.pid ?? 0);
    this.#children.push({ child, dismiss: () => guard.dismiss() });
    let output = "";
    child.stderr?.on("data", (piece: Buffer) => {
      output = (output + piece.toString()).slice(-4_000);
    });
    const died = new Promise<never>((_, reject) =>
      child.once("exit", (code, signal) =>
        reject(new Error(`${program} ended (${code ?? signal}): ${output}`)),
      ),
    );
    died.catch(() => undefined);
    return died;
  }

  async #untilReady(url: string): Promise<void> {
    const endMs = performance.now() + START_TIMEOUT_MS;
    while (performance.now() < endMs) {
      const answer = await fetch(url, { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).catch(
        () => undefined,
      );
      if (answer?.ok === true) return;
      await sleep(POLL_MS);
    }
    throw new Error(`${url} does not answer within ${START_TIMEOUT_MS} ms`);
  }

  /** Ends both programs, and removes their files. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.map(endChild));
    await new Promise((resolve) =>
      this.#receiver === undefined ? resolve(null) : this.#receiver.close(resolve),
    );
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function endChild({ child, dismiss }: { child: ChildProcess; dismiss: () => void }): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(late);
  }
  dismiss();
}
