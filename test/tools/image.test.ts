// The tree of the image: made from the package that the tests share, packed, and run in namespaces as a container would run it.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { describeTree, type Target } from "../../tools/build/image/tree.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { providePackage } from "../support/package.ts";
import { scaled } from "../support/scale.ts";
import { imageConfig, startContainer, whyNoContainers } from "./container.ts";

const root = join(import.meta.dirname, "../..");
/** The share of the tree in an image of 170 MB: a lean base with Node.js has 115 MB. */
const MAX_TREE_BYTES = 20e6;
const MIB = 1024 * 1024;
const CANARY = "canary-7f3a9c51";
const run = promisify(execFile);

/** Agents whose imports are found beside Murmur, wherever their folder is. */
const GREETER = `import { defineAgent } from "murmur-swarm";
import { createMachine } from "xstate";
import { z } from "zod";

interface Greeting { text: string }

export default defineAgent({
  name: "greeter",
  capabilities: ["greeting"],
  exec: { allow: ["true"] },
  input: z.string(),
  run(task): Greeting {
    return { text: \`Hello, \${task.input}! \${createMachine({}).id}\` };
  },
});
`;

/** The init of the image's target `tools`. */
const TINI = "/usr/bin/tini";
/** An agent whose command ends while a child of it goes on; the output is the id of the child. */
const LEAVER = `import { defineAgent } from "murmur-swarm";
import { z } from "zod";

export default defineAgent({
  name: "leaver",
  capabilities: ["leaving"],
  exec: { allow: ["sh"] },
  input: z.null(),
  async run(_task, ctx) {
    const { stdout } = await ctx.exec({ argv: ["sh", "-c", "sleep 1000 & echo $!"] });
    return Number(stdout);
  },
});
`;

let home: string;
let tree: string;
let facts: {
  files: number;
  bytes: number;
  hash: string;
  cacheEntries: number;
  archive: { bytes: number };
};

/** Makes a tree, with secrets in the environment and beside the files of the build. */
async function make(to: string): Promise<typeof facts> {
  const args = [join(root, "tools/build/image.ts"), "--json", "--build", join(home, "build"), "--out", to];
  const archive = ["--base", join(home, "base.tar"), "--archive", `${to}.tar`, "--name", "rig/murmur:1"];
  const env = { ...process.env, NPM_TOKEN: CANARY, MURMUR_API_TOKEN: CANARY, NATS_PASSWORD: CANARY };
  return JSON.parse((await run(process.execPath, [...args, ...archive], { env, cwd: home })).stdout);
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "murmur-image-test-"));
  cpSync((await providePackage()).folder, join(home, "build"), { recursive: true });
  for (const path of [".env", ".npmrc", "secrets.json", "agents/echo/.env"])
    writeFileSync(join(home, "build", path), `TOKEN=${CANARY}`);
  await makeBase(home);
  tree = join(home, "some/folder/tree"); // deeper than the folder of the cache
  facts = await make(tree);
}, 240_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const files = () =>
  readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

test("holds the files that run: no types, maps, sources, tests or pages", () => {
  const unwanted =
    /\.(?:ts|mts|cts|map|tgz)$|(?<!licen[cs]e)\.md$|node_modules\/(?:@[^/]+\/)?[^/]+\/(?:tests?|docs?)\//i;
  expect(files().filter((file) => unwanted.test(file))).toEqual([]);
  expect(facts.bytes).toBeLessThan(MAX_TREE_BYTES);
  const modes = new Set(files().map((file) => (statSync(file).mode & 0o777).toString(8)));
  expect([...modes].sort()).toEqual(["644", "755"]);
});

test("holds no secret of the machine that made it, and no path of it", () => {
  const words = [CANARY, root, home];
  const found = files().filter((file) => words.some((word) => readFileSync(file).includes(word)));
  expect(found).toEqual([]);
});

test("names each package of the tree in its bill of materials, with the hash of the lockfile", () => {
  const bill = JSON.parse(readFileSync(join(tree, "opt/murmur/sbom.cdx.json"), "utf8"));
  const components: {
    "bom-ref": string;
    group?: string;
    name: string;
    version: string;
    hashes?: object[];
  }[] = bill.components;
  const listed = components.map(
    ({ group, name, version }) => `${group ? `${group}/` : ""}${name}@${version}`,
  );
  const installed = files()
    .filter((file) => /node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(file))
    .map((file) => JSON.parse(readFileSync(file, "utf8")))
    .map(({ name, version }) => `${name}@${version}`);
  expect(installed.length).toBeGreaterThan(15);
  expect(listed).toEqual(
    expect.arrayContaining([...installed, expect.stringMatching(/^@nats-io\/jetstream@/)]),
  );
  expect(components.filter(({ hashes }) => hashes === undefined)).toEqual([]);
  const refs = new Set([bill.metadata.component["bom-ref"], ...components.map((each) => each["bom-ref"])]);
  expect(refs.size).toBe(components.length + 1);
  for (const { ref, dependsOn } of bill.dependencies) {
    for (const each of [ref, ...dependsOn]) expect(refs).toContain(each);
  }
});

test("is packed onto a base without docker, with the configuration of the Dockerfile", async () => {
  const unpacked = join(home, "unpacked");
  mkdirSync(unpacked);
  await run("tar", ["-xf", `${tree}.tar`, "-C", unpacked]);
  const [image] = JSON.parse(readFileSync(join(unpacked, "manifest.json"), "utf8"));
  expect(image).toMatchObject({ RepoTags: ["rig/murmur:1"], Layers: ["layer-0.tar", "layer-1.tar"] });
  const { config, rootfs } = JSON.parse(readFileSync(join(unpacked, image.Config), "utf8"));
  expect(config).toMatchObject({
    User: "65532:65532",
    WorkingDir: "/app",
    Entrypoint: ["/usr/local/bin/murmur"],
    StopSignal: "SIGTERM",
    Healthcheck: { Test: ["CMD", "/usr/local/bin/murmur-health", "/livez"], Timeout: 3e9 },
    Labels: { "org.opencontainers.image.licenses": "Apache-2.0" },
  });
  expect(config.Env).toEqual(expect.arrayContaining(["OF_BASE=1", "NODE_ENV=production"]));
  const digests = image.Layers.map(
    (layer: string) =>
      `sha256:${createHash("sha256")
        .update(readFileSync(join(unpacked, layer)))
        .digest("hex")}`,
  );
  expect(rootfs.diff_ids).toEqual(digests);
  const listed = await run("tar", ["-tvf", join(unpacked, "layer-1.tar"), "usr/local/bin/murmur"]);
  expect(listed.stdout).toMatch(/^-rwxr-xr-x 0\/0 /);
});

test("has the same configuration in both targets, but for tini before the command of the tools", () => {
  const [murmur, tools] = [imageConfig("murmur").config, imageConfig("tools").config];
  expect({ ...tools, Entrypoint: tools.Entrypoint?.slice(2), Labels: {} }).toEqual({
    ...murmur,
    Labels: {},
  });
  expect(tools.Entrypoint?.slice(0, 2)).toEqual(["/usr/bin/tini", "--"]);
  expect(imageConfig("murmur").runs).toEqual([]);
});

test.runIf(scaled(0, 1) === 1)(
  "is the same when it is made again",
  async () => {
    const again = await make(join(home, "again"));
    expect(again.hash).toBe(facts.hash);
    const digestOf = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
    expect(digestOf(join(home, "again.tar"))).toBe(digestOf(`${tree}.tar`));
    writeFileSync(join(home, "again/app/package.json"), "{}");
    expect(describeTree(join(home, "again")).hash).not.toBe(facts.hash);
  },
  120_000,
);

const reason = whyNoContainers();
describe.skipIf(reason !== undefined)(
  `as user 65532 on a read-only root${reason ? ` (${reason})` : ""}`,
  () => {
    test("runs all roles, and agents that were copied or mounted; its processes stop at SIGTERM as process 1", async () => {
      const nats = await startNatsServer();
      onTestFinished(() => nats.stop());
      const agents = makeAgents(join(home, "agents"));
      const env = {
        NATS_URL: nats.url,
        MURMUR_HTTP_PORT: "0",
        MURMUR_METRICS_PORT: "0",
        MURMUR_CREATE_CONSUMERS: "true",
        MURMUR_EXEC_ALLOW: "true",
      };
      const start = (...args: string[]) => {
        const container = startContainer({ tree, args, env, mounts: { "/app/agents": agents } });
        onTestFinished(async () => {
          container.signal("SIGKILL");
          await container.ended;
        });
        return container;
      };
      const containers = [
        start("api", "--init"),
        start("coordinator"),
        start("agent", "run", "thirty-line-agent", "greeter"),
      ] as const;
      try {
        const [api] = await Promise.all([
          containers[0].says("api is ready"),
          containers[1].says("coordinator is ready"),
          containers[2].says("agents are ready"),
        ]);
        const submit = start("submit", "greeting", "--input", '"you"', "--wait");
        expect(await submit.ended).toBe(0);
        expect(JSON.parse(submit.output())).toEqual({ text: "Hello, you! (machine)" });

        const [, port = ""] = /"metrics":"http:\/\/[^:]+:(\d+)/.exec(api) ?? [];
        const health = startContainer({
          tree,
          args: ["/readyz"],
          command: ["/usr/local/bin/murmur-health"],
          env: { MURMUR_METRICS_PORT: port },
        });
        expect(await health.ended).toBe(0);
      } finally {
        for (const container of containers) container.signal("SIGTERM");
      }
      expect(await Promise.all(containers.map(({ ended }) => ended))).toEqual([0, 0, 0]);
      for (const container of containers) {
        expect(lastLine(container)).toMatchObject({ level: 30, msg: "the process ends: stopped by SIGTERM" });
      }
      expect(containers[2].output()).toContain("this process is process 1 and its agents run commands");
    }, 120_000);

    test.skipIf(!existsSync(TINI))(
      `below tini a child that a command leaves behind is ended, and leaves no zombie${existsSync(TINI) ? "" : ` (no ${TINI})`}`,
      async () => {
        const nats = await startNatsServer();
        onTestFinished(() => nats.stop());
        const folder = join(home, "leaver");
        mkdirSync(join(folder, "leaver"), { recursive: true });
        writeFileSync(join(folder, "leaver/agent.ts"), LEAVER);
        const env = {
          NATS_URL: nats.url,
          MURMUR_HTTP_PORT: "0",
          MURMUR_METRICS_PORT: "0",
          MURMUR_CREATE_CONSUMERS: "true",
          MURMUR_EXEC_ALLOW: "sh",
        };
        const start = (target: Target, ...args: string[]) => {
          const mounts = { "/app/agents": folder, ...(target === "tools" ? { "/usr/bin": "/usr/bin" } : {}) };
          const container = startContainer({ tree, args, env, mounts, target });
          onTestFinished(async () => {
            container.signal("SIGKILL");
            await container.ended;
          });
          return container;
        };
        const api = start("murmur", "api", "--init");
        const agents = start("tools", "agent", "run", "leaver");
        await Promise.all([api.says("api is ready"), agents.says("agents are ready")]);
        expect(agents.output()).not.toContain("stay as zombies");
        const submit = start("murmur", "submit", "leaving", "--input", "null", "--wait");
        expect(await submit.ended).toBe(0);
        // Process 1 is tini. Its only child is the program, and the program has none: the child has ended, and tini has reaped it.
        const childrenOf = (pid: number | string) =>
          readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
        expect(readFileSync(`/proc/${agents.pid()}/comm`, "utf8").trim()).toBe("tini");
        await vi.waitFor(() => {
          const [program, ...more] = childrenOf(agents.pid());
          expect([more, childrenOf(program!)]).toEqual([[], []]);
        });
        expect(Number(submit.output())).toBeGreaterThan(1);
      },
      120_000,
    );

    test("ends with one fatal line when a setting does not fit", async () => {
      const refused = startContainer({ tree, args: ["api"], env: { MURMUR_METRICS_PORT: "many" } });
      expect(await refused.ended).toBe(2);
      expect(refused.output().trim().split("\n")).toHaveLength(1);
      expect(lastLine(refused)).toMatchObject({
        level: 60,
        code: "invalid_input",
        exitCode: 2,
        msg: expect.stringMatching(/^the process ends: .*MURMUR_METRICS_PORT/),
      });
    }, 60_000);

    test.each([1, 2] as const)(
      "cgroup version %i limits the heap to three quarters of its memory",
      async (version) => {
        const limited = startContainer({
          tree,
          args: ["--print", "v8.getHeapStatistics().heap_size_limit"],
          command: ["/usr/local/bin/node"],
          mounts: makeMemoryLimit(join(home, `cgroup-${version}`), version, 400 * MIB),
        });
        expect(await limited.ended).toBe(0);
        // V8 adds the space of young objects to the limit.
        expect(Number(limited.output()) / MIB).toBeGreaterThanOrEqual(300);
        expect(Number(limited.output()) / MIB).toBeLessThan(320);
      },
      60_000,
    );

    test("finds its code compiled, and the packages of agents in a folder outside /app", async () => {
      const checked = startContainer({
        tree,
        args: ["agent", "run", "greeter", "--check"],
        env: {
          MURMUR_EXEC_ALLOW: "true",
          MURMUR_AGENTS_DIR: "/etc/agents",
          NODE_DEBUG_NATIVE: "COMPILE_CACHE",
        },
        mounts: { "/etc/agents": makeAgents(join(home, "mounted")) },
      });
      expect(await checked.ended).toBe(0);
      const output = checked.output();
      expect(output).toContain("the agents load");
      const accepted = output.match(/V8 code cache for \S+ file:\/\/\/opt\/murmur\/\S+ was accepted/g) ?? [];
      expect(accepted.length).toBeGreaterThan(100);
      expect(output.match(/V8 code cache for \S+ \S*\/opt\/murmur\/\S+ was rejected/g)).toBeNull();
    }, 60_000);
  },
);

function lastLine(container: { output(): string }): unknown {
  return JSON.parse(container.output().trim().split("\n").at(-1) ?? "");
}

/** Files that tell a container of cgroup version 1 or 2 its memory limit, as `/proc` and `/sys/fs/cgroup`. */
function makeMemoryLimit(folder: string, version: 1 | 2, bytes: number): Record<string, string> {
  const files =
    version === 1
      ? {
          "proc/self/cgroup": "4:memory:/box",
          "cgroup/memory/box/memory.limit_in_bytes": bytes,
          "cgroup/memory/box/memory.soft_limit_in_bytes": "9223372036854771712", // none
        }
      : { "proc/self/cgroup": "0::/box", "cgroup/box/memory.max": bytes, "cgroup/box/memory.high": "max" };
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${content}\n`);
  }
  return { "/proc": join(folder, "proc"), "/sys/fs/cgroup": join(folder, "cgroup") };
}

/** A base image of one layer, as `docker save` writes it. */
async function makeBase(home: string): Promise<void> {
  const base = join(home, "base");
  mkdirSync(join(base, "root/etc"), { recursive: true });
  writeFileSync(join(base, "root/etc/os-release"), "ID=test\n");
  await run("tar", ["-cf", join(base, "layer.tar"), "-C", join(base, "root"), "."]);
  const layer = createHash("sha256")
    .update(readFileSync(join(base, "layer.tar")))
    .digest("hex");
  const config = {
    architecture: "amd64",
    os: "linux",
    config: { Env: ["OF_BASE=1", "NODE_ENV=none"], Entrypoint: ["node"], User: "0" },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
  };
  writeFileSync(join(base, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: null, Layers: ["layer.tar"] }];
  writeFileSync(join(base, "manifest.json"), JSON.stringify(manifest));
  const names = ["manifest.json", "config.json", "layer.tar"];
  await run("tar", ["-cf", join(home, "base.tar"), "-C", base, ...names]);
}

/** Two agents: one as `COPY agents/` puts it, one as Kubernetes mounts a ConfigMap, with links to a folder of the version. */
function makeAgents(folder: string): string {
  mkdirSync(join(folder, "thirty-line-agent"), { recursive: true });
  cpSync(join(root, "examples/thirty-line-agent/agent.ts"), join(folder, "thirty-line-agent/agent.ts"));
  mkdirSync(join(folder, "..2026_11_30/greeter"), { recursive: true });
  writeFileSync(join(folder, "..2026_11_30/greeter/agent.ts"), GREETER);
  symlinkSync("..2026_11_30", join(folder, "..data"));
  symlinkSync("..data/greeter", join(folder, "greeter"));
  return folder;
}
