// Explanations of the kinds about security.
import type { KindText } from "./text.ts";

const MANIFEST = '{ "name": "shop", "private": true, "dependencies": { "left-pad": "^1.3.0" } }\n';
const ROOT = '"": { "name": "shop", "dependencies": { "left-pad": "^1.3.0" } }';
const OTHER =
  '"node_modules/other": { "version": "1.0.0", "resolved": "https://packages.example.test/other-1.0.0.tgz", "integrity": "sha512-b" },\n    "node_modules/third": { "version": "1.0.0", "resolved": "https://packages.example.test/third-1.0.0.tgz", "integrity": "sha512-c" }';

/** A package.json, and a lockfile with the given facts about left-pad. */
function locked(facts: string, root = ROOT): Record<string, string> {
  return {
    "package.json": MANIFEST,
    "package-lock.json": `{\n  "name": "shop",\n  "lockfileVersion": 3,\n  "packages": {\n    ${root},\n    "node_modules/left-pad": { "version": "1.3.0", ${facts} },\n    ${OTHER}\n  }\n}\n`,
  };
}

const RESOLVED = '"resolved": "https://packages.example.test/left-pad-1.3.0.tgz"';
const GOOD = locked(`${RESOLVED}, "integrity": "sha512-a"`);

export const SECURITY_TEXTS: Readonly<Record<string, KindText>> = {
  secret: {
    what: "A file has a text that looks like a real credential.",
    why: "Each reader of the repository, now or later, can use it; a later commit does not remove it from the history. Revoke it, then keep the new one in the environment or in a secret store. The finding names the place and never the text.",
    wrong: 'export const token = "ghp_…";\n',
    right: "export const token = process.env.SHOP_TOKEN;\n",
  },
  "code-injection": {
    what: "Text becomes code at run time: by eval, by a function built from text, or by a timer with text.",
    why: "With control of a part of the text, an attacker runs code with the rights of the program. Parse data with JSON.parse, or look behaviour up in a table.",
    wrong: "export function total(formula) {\n  return eval(formula);\n}\n",
    right:
      "const FORMULAS = { double: (x) => 2 * x };\n\nexport function total(name, x) {\n  return FORMULAS[name]?.(x);\n}\n",
  },
  "command-injection": {
    what: "A shell gets a command that is built from values.",
    why: "A value with `;` or `$()` runs as a command of its own. Give the program and its arguments as a list, without a shell.",
    wrong:
      'import { exec } from "node:child_process";\n\nexport function checkout(branch) {\n  exec(`git checkout ${branch}`);\n}\n',
    right:
      'import { execFile } from "node:child_process";\n\nexport function checkout(branch) {\n  execFile("git", ["checkout", branch]);\n}\n',
  },
  "sql-injection": {
    what: "An SQL statement is built from values.",
    why: "A value with a quote changes the statement: it reads or deletes other rows. Use placeholders, and pass the values beside the statement.",
    wrong:
      "export function find(db, name) {\n  return db.query(`SELECT * FROM users WHERE name = '${name}'`);\n}\n",
    right:
      'export function find(db, name) {\n  return db.query("SELECT * FROM users WHERE name = ?", [name]);\n}\n',
  },
  "path-traversal": {
    what: "A path of the file system comes directly from a request.",
    why: "A value with `../` reaches any file that the program may read or write. Resolve it against a fixed folder and check that it stays inside, or take only its last part.",
    wrong:
      'import { readFile } from "node:fs/promises";\n\nexport function show(req) {\n  return readFile(`/srv/pages/${req.params.name}`);\n}\n',
    right:
      'import { readFile } from "node:fs/promises";\nimport { basename } from "node:path";\n\nexport function show(req) {\n  return readFile(`/srv/pages/${basename(req.params.name)}`);\n}\n',
  },
  "tls-check-disabled": {
    what: "A connection does not check the certificate of the other side.",
    why: "An attacker on the network path can read and change the traffic. Add the certificate authority of the server to the connection instead.",
    wrong:
      'import { request } from "node:https";\n\nexport const call = () => request({ host: "example.test", rejectUnauthorized: false });\n',
    right:
      'import { request } from "node:https";\n\nexport const call = (ca) => request({ host: "example.test", ca });\n',
  },
  "unsafe-regex": {
    what: "A regular expression can take exponential time for a short text.",
    why: "One request with such a text keeps the process busy for minutes. Remove the ambiguity: two nested repetitions must not match the same text.",
    wrong: "export const isSentence = (text) => /^(\\w+\\s?)+$/.test(text);\n",
    right: "export const isSentence = (text) => /^\\w+(?:\\s\\w+)*$/.test(text);\n",
  },
  "weak-randomness": {
    what: "A secret is made with Math.random().",
    why: "Its numbers can be computed from earlier ones. Use crypto.randomBytes or crypto.randomUUID.",
    wrong:
      "export function start() {\n  const sessionToken = Math.random().toString(36);\n  return sessionToken;\n}\n",
    right:
      'import { randomUUID } from "node:crypto";\n\nexport function start() {\n  const sessionToken = randomUUID();\n  return sessionToken;\n}\n',
  },
  "weak-cipher": {
    what: "Data is encrypted with a broken cipher or mode.",
    why: "Others can read or change the data. Use AES-256-GCM with a new random nonce for each message.",
    wrong:
      'import { createCipheriv } from "node:crypto";\n\nexport const seal = (key) => createCipheriv("aes-128-ecb", key, null);\n',
    right:
      'import { createCipheriv } from "node:crypto";\n\nexport const seal = (key, nonce) => createCipheriv("aes-256-gcm", key, nonce);\n',
  },
  "lockfile-missing": {
    what: "A private package with dependencies has no lockfile.",
    why: "Each install may bring other versions, also untested or compromised ones. Commit the lockfile of your package manager.",
    wrong: { "package.json": MANIFEST },
    right: GOOD,
  },
  "lockfile-out-of-step": {
    what: "The lockfile does not match its package.json.",
    why: "A clean install fails (npm ci) or brings untested versions. Run npm install and commit the lockfile.",
    wrong: locked(`${RESOLVED}, "integrity": "sha512-a"`, ROOT.replace("^1.3.0", "^1.2.0")),
    right: GOOD,
  },
  "lockfile-insecure-source": {
    what: "The lockfile fetches a package without encryption.",
    why: "An attacker on the network path can replace the package. Use https.",
    wrong: locked('"resolved": "http://packages.example.test/left-pad-1.3.0.tgz", "integrity": "sha512-a"'),
    right: GOOD,
  },
  "lockfile-foreign-source": {
    what: "The lockfile takes a package from git, or from another host than the other packages.",
    why: "A changed lockfile is a way to bring foreign code in; a git source has no checksum and can disappear. Check that it is intended; publish the package, or vendor it.",
    wrong: locked('"resolved": "https://elsewhere.example.test/left-pad-1.3.0.tgz", "integrity": "sha512-a"'),
    right: GOOD,
  },
  "lockfile-no-integrity": {
    what: "The lockfile has no checksum for a package.",
    why: "A changed package is installed without a word. Delete the entry, and run npm install.",
    wrong: locked(RESOLVED),
    right: GOOD,
  },
  "install-script": {
    what: "A package runs a program of its own while it is installed.",
    why: "That is the usual way of a compromised package to run code. Review the packages, or install with `ignore-scripts=true` in .npmrc.",
    wrong: locked(`${RESOLVED}, "integrity": "sha512-a", "hasInstallScript": true`),
    right: GOOD,
  },
};
