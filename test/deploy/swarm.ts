// Starts the services of deploy/compose.yaml as plain processes, with the commands and variables of that file: only host names become
// ports of this machine, and paths in containers become files.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import {
  makeKeys,
  readPermissions,
  renderAccounts,
  requirePublicKeys,
  usersOf,
} from "../../src/app/permissions/index.ts";
import { findNatsServer } from "../support/nats-server.ts";
import { PROGRAM, programEnvironment } from "../support/program.ts";

export const DEPLOY = join(import.meta.dirname, "../../deploy");

const serviceSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  ports: z.array(z.string()).optional(),
  secrets: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  networks: z.array(z.string()).optional(),
  network_mode: z.string().optional(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  cap_add: z.array(z.string()).optional(),
  security_opt: z.array(z.string()),
  user: z.string().optional(),
});
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  secrets: z.record(z.string(), z.strictObject({ file: z.string() })),
  volumes: z.record(z.string(), z.strictObject({})),
  networks: z.record(z.string(), z.strictObject({ internal: z.boolean().optional() })),
});

/** deploy/compose.yaml, with its anchors resolved. */
export const compose = composeSchema.parse(
  parse(readFileSync(join(DEPLOY, "compose.yaml"), "utf8"), { merge: true }),
);

/** One process of the swarm. */
export interface Running {
  output(): string;
  /** Resolves to the output when it contains `text`. @throws Error with the output when the process ends before. */
  says(text: string): Promise<string>;
  ended: Promise<number | null>;
}

/** A folder with certificates, keys and the configuration of the servers, as README.md of deploy makes them. */
export class DeployedSwarm {
  readonly folder = mkdtempSync(join(tmpdir(), "murmur-deploy-"));
  readonly apiToken = "token-of-the-test";
  readonly #children = new Set<ChildProcess>();
  readonly #ports = new Map<string, number>();

  /** Makes certificates, keys and accounts, and chooses the ports. */
  async prepare(): Promise<void> {
    execFileSync("sh", [join(DEPLOY, "certs.sh"), join(this.folder, "certs")], { stdio: "pipe" });
    const permissions = await readPermissions(join(DEPLOY, "permissions.yaml"));
    const keys = join(this.folder, "keys");
    makeKeys(keys, usersOf(permissions));
    writeFileSync(join(keys, "api.token"), this.apiToken, { mode: 0o600 });
    cpSync(join(DEPLOY, "nats"), join(this.folder, "nats"), { recursive: true });
    const accounts = renderAccounts(permissions, requirePublicKeys(keys, usersOf(permissions)));
    writeFileSync(join(this.folder, "nats/accounts.conf"), accounts);
    for (const server of ["nats-1", "nats-2", "nats-3"]) {
      mkdirSync(join(this.folder, server));
      for (const port of [4222, 6222, 8222]) this.#ports.set(`${server}:${port}`, await freePort());
    }
  }

  /** Starts one service. */
  start(name: string): Running {
    const service = compose.services[name];
    if (service === undefined) throw new Error(`compose.yaml has no service ${name}`);
    const args = (service.command ?? []).map((text) => this.#localize(name, text));
    const own = Object.entries(service.environment ?? {}).map(([key, value]) => [
      key,
      this.#localize(name, value),
    ]);
    const isServer = name.startsWith("nats-");
    const child = spawn(
      isServer ? findNatsServer() : process.execPath,
      isServer ? args : [...PROGRAM, ...args],
      {
        cwd: this.folder,
        env: {
          ...programEnvironment(),
          ...Object.fromEntries(own),
          ...(isServer ? {} : { MURMUR_METRICS_PORT: "0", MURMUR_HTTP_PORT: "0" }),
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#children.add(child);
    return follow(child, name);
  }

  /** Ends all processes and removes the folder. */
  async stop(): Promise<void> {
    const living = [...this.#children].filter(
      (child) => child.exitCode === null && child.signalCode === null,
    );
    await Promise.all(
      living.map((child) => {
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        return gone;
      }),
    );
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A text of compose.yaml for this machine. */
  #localize(service: string, text: string): string {
    const port = (host: string, number: string) => `127.0.0.1:${this.#ports.get(`${host}:${number}`)}`;
    return text
      .replace(/(nats-\d):(\d+)/g, (_, host: string, number: string) => port(host, number))
      .replace(/0\.0\.0\.0:(\d+)/g, (_, number: string) => port(service, number))
      .replace(/^0\.0\.0\.0$/, "127.0.0.1")
      .replace(/\/run\/secrets\/([\w-]+)/, (_, secret: string) =>
        join(this.folder, compose.secrets[secret]?.file ?? "missing"),
      )
      .replace("/etc/nats/certs", join(this.folder, "certs"))
      .replace("/etc/nats", join(this.folder, "nats"))
      .replace("/etc/murmur/ca.crt", join(this.folder, "certs/ca.crt"))
      .replace("/etc/murmur", DEPLOY)
      .replace("/app/workflows", join(DEPLOY, "workflows"))
      .replace(/^"\/data"$/, JSON.stringify(join(this.folder, service)));
  }
}

function follow(child: ChildProcess, name: string): Running {
  let output = "";
  let code: number | null | undefined;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const each of waiting) each();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      look();
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (status) => {
      code = status;
      look();
      resolve(status);
    });
  });
  return {
    output: () => output,
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (output.includes(text)) resolve(output);
          else if (code !== undefined)
            reject(new Error(`${name} ended (${code}) without saying ${text}:\n${output.slice(-3_000)}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(),
      );
    });
  });
}
