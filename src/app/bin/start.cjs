// Starts the installed program after one look at its peers, zod and xstate: they belong to the user's project, because agents
// hand schemas and machines to the runtime. Without this look, Node prints a stack that names files of Murmur.
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { peerDependencies } = require("../../../package.json");

/** The exit code of a command that lacks a part, as in cli.ts. */
const UNAVAILABLE = 3;

/** The version and folder of an installed package; null when it cannot be found. */
function findPackage(name) {
  for (const folder of require.resolve.paths(name)) {
    try {
      const { version } = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8"));
      return { version, folder: join(folder, name) };
    } catch {
      // The next folder above may have it.
    }
  }
  return null;
}

/** True when `version` fits `range`: `^1.2.3` is the only form that the build allows. */
function fits(range, version) {
  const [major, minor, patch] = range.slice(1).split(".").map(Number);
  const [foundMajor, foundMinor, foundPatch] = version.split(/[.+-]/, 3).map(Number);
  if (foundMajor !== major) return false;
  return foundMinor > minor || (foundMinor === minor && foundPatch >= patch);
}

const problems = [];
const ways = [];
for (const [name, range] of Object.entries(peerDependencies)) {
  const found = findPackage(name);
  if (found !== null && fits(range, found.version)) continue;
  problems.push(
    `${name} ${range}${found === null ? ", which is missing" : `, found ${found.version} (${found.folder})`}`,
  );
  ways.push(`${name}@${range}`);
}
if (problems.length === 0) {
  import("../main.js");
} else {
  const where = join(dirname(require.resolve("../../../package.json")), "../..");
  process.stderr.write(
    `murmur: needs ${problems.join(" and ")}: run npm install ${ways.map((way) => `"${way}"`).join(" ")} in ${where}\n`,
  );
  process.exitCode = UNAVAILABLE;
}
