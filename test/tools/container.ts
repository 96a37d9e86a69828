// Runs a command as a container would, without docker: in namespaces of its own, as user 65532 without capabilities, as process 1,
// with a root that is wholly read-only, no HOME, and the variables of the Dockerfile. Libraries and node are those of this machine.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDockerfile } from "../../tools/build/image/dockerfile.ts";
import type { Target } from "../../tools/build/image/tree.ts";

/** Folders of this machine that node needs: its libraries. */
const LIBRARIES = ["/lib", "/lib64", "/usr/lib"];

/** Why this machine cannot run the tests; undefined when it can. */
export function whyNoContainers(): string | undefined {
  const trial = spawnSync(
    "unshare",
    ["--user", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c", "mount -t tmpfs none /mnt"],
    { encoding: "utf8" },
  );
  return trial.status === 0 ? undefined : `no namespaces: ${trial.error?.message ?? trial.stderr.trim()}`;
}

/** The image's configuration, as the Dockerfile says. */
export function imageConfig(target: Target) {
  const text = readFileSync(join(import.meta.dirname, "../../Dockerfile"), "utf8");
  const stage = readDockerfile(text, { VERSION: "1.2.3", REVISION: "abc" }).get(target);
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${target}`);
  return stage;
}

/** One running container. */
export interface Container {
  /** Everything that it wrote so far. */
  output(): string;
  /** Resolves to the output when it contains `text`. @throws Error with the output when the process ends before. */
  says(text: string): Promise<string>;
  /** Sends a signal to process 1. It has no effect when the container has ended. */
  signal(name: NodeJS.Signals): void;
  /** The id of process 1 outside. */
  pid(): number;
  ended: Promise<number | null>;
}

/** Starts the image's entry point (or `command`) with `args`. `mounts` are folders by their place in the image. */
export function startContainer(options: {
  tree: string;
  args: readonly string[];
  target?: Target;
  command?: readonly string[];
  env?: Readonly<Record<string, string>>;
  mounts?: Readonly<Record<string, string>>;
}): Container {
  const { tree, args, target = "murmur", env = {}, mounts = {} } = options;
  const { config } = imageConfig(target);
  const root = mkdtempSync(join(tmpdir(), "murmur-root-"));
  mkdirSync(join(root, "x"));
  const shown: Record<string, string> = {
    "/opt": join(tree, "opt"),
    "/app": join(tree, "app"),
    ...Object.fromEntries(LIBRARIES.map((path) => [path, path])),
    ...mounts,
  };
  const files = ["murmur", "murmur-health"].map((name) => `/usr/local/bin/${name}`);
  const script = [
    "set -e",
    `mount -t tmpfs none ${root}`,
    `mkdir -p ${root}/proc ${root}/dev ${root}/etc ${root}/usr/local/bin`,
    `mount -t proc none ${root}/proc`,
    ...files.map((file) => `cp -p ${tree}${file} ${root}${file}`),
    `touch ${root}/usr/local/bin/node ${root}/dev/null`,
    `mount --bind /dev/null ${root}/dev/null`,
    `mount --bind ${process.execPath} ${root}/usr/local/bin/node`,
    ...Object.entries(shown).flatMap(([place, folder]) => [
      `mkdir -p ${root}${place} 2>/dev/null || true`,
      `mount --rbind ${folder} ${root}${place}`,
      `mount -o remount,bind,ro ${root}${place}`,
    ]),
    `mount -o remount,ro ${root}`,
    'exec "$@"',
  ].join("\n");
  const inside = ["--user", "--map-user=65532", "--map-group=65532", `--root=${root}`];
  const command = options.command ?? config.Entrypoint ?? [];
  const child: ChildProcess = spawn(
    "unshare",
    [
      ...[
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        script,
        "sh",
      ],
      ...["unshare", ...inside, `--wd=${config.WorkingDir ?? "/"}`, ...command, ...args],
    ],
    {
      env: {
        PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        ...Object.fromEntries(config.Env.map((entry) => entry.split(/=(.*)/s, 2))),
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const look of waiting) look();
    });
  let code: number | null | undefined;
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (status) => {
      code = status;
      rmSync(root, { recursive: true, force: true });
      for (const look of waiting) look();
      resolve(status);
    });
  });
  const pid = () => {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
    return Number(children.split(" ")[0]);
  };
  return {
    output: () => output,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (output.includes(text)) resolve(output);
          else if (code !== undefined)
            reject(new Error(`it ended (${code}) without saying ${text}:\n${output}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    signal: (name) => {
      if (code === undefined) process.kill(pid(), name);
    },
    pid,
    ended,
  };
}
