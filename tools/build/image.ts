// Makes the file tree of the image, and on request an image archive without docker. The Dockerfile copies the tree.
//
//   node tools/build/image.ts                                   dist/image/murmur, as the Dockerfile expects it
//   node tools/build/image.ts --target tools                    dist/image/tools: with the analysers of the review
//   node tools/build/image.ts --base BASE.tar --archive OUT.tar packs the tree onto a base, without docker
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { packImage } from "./image/archive.ts";
import { readDockerfile } from "./image/dockerfile.ts";
import { makeTree, TARGETS, type Target } from "./image/tree.ts";

const root = join(import.meta.dirname, "../..");
const HELP = `node tools/build/image.ts: makes the file tree of the image

  --target murmur|tools  all roles, or with the analysers for agents that run commands (default murmur)
  --out DIR              where the tree goes (default dist/image/<target>)
  --build DIR            a finished build of tools/build/build.ts; without it, it is built first
  --node PATH            the place of Node.js in the base (default /usr/local/bin/node)
  --base FILE            archive of a base image with Node.js, as docker save writes it
  --archive FILE         packs the tree onto the base; docker load and ctr images import take the archive
  --name NAME:TAG        the name of the image in the archive (default murmur:<version>)
  --json                 prints the facts as JSON
`;

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "murmur" },
    out: { type: "string" },
    build: { type: "string" },
    node: { type: "string", default: "/usr/local/bin/node" },
    base: { type: "string" },
    archive: { type: "string" },
    name: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const target = TARGETS.find((each) => each === values.target);
if (target === undefined) fail(`--target must be ${TARGETS.join(" or ")}, got ${values.target}`);
if ((values.base === undefined) !== (values.archive === undefined)) {
  fail("--base and --archive belong together");
}
const out = resolve(values.out ?? join(root, "dist/image", target));
const tree = makeTreeOf(target);
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const packed =
  values.base === undefined || values.archive === undefined
    ? undefined
    : packImage({
        base: resolve(values.base),
        tree: out,
        config: configOf(target),
        name: values.name ?? `murmur:${version}`,
        to: resolve(values.archive),
      });
if (values.json) process.stdout.write(`${JSON.stringify({ target, out, ...tree, archive: packed })}\n`);
else {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  process.stdout.write(
    `${relative(process.cwd(), out) || "."}: ${tree.files} files, ${megabytes(tree.bytes)}, ${tree.packages} packages, ${tree.cacheEntries} files compiled, sha256 ${tree.hash}\n`,
  );
  if (packed !== undefined) process.stdout.write(`${values.archive}: ${megabytes(packed.bytes)}\n`);
}

function makeTreeOf(target: Target): ReturnType<typeof makeTree> {
  const scratch = mkdtempSync(join(tmpdir(), "murmur-image-"));
  try {
    const build = values.build === undefined ? join(scratch, "build") : resolve(values.build);
    if (values.build === undefined) {
      const args = [join(root, "tools/build/build.ts"), "--out", build];
      // Standard output belongs to the facts.
      const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", 2, "inherit"] });
      if (status !== 0) throw new Error("the build failed; its messages are above");
    }
    return makeTree({ root, build, out, target, node: values.node });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function configOf(target: Target) {
  const revision = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).stdout?.trim();
  const text = readFileSync(join(root, "Dockerfile"), "utf8");
  const stages = readDockerfile(text, { VERSION: version, REVISION: revision ?? "" });
  const stage = stages.get(target);
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${target}`);
  return stage.config;
}

function fail(why: string): never {
  process.stderr.write(`image: ${why}\n`);
  process.exit(2);
}
