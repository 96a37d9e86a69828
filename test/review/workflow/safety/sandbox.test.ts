import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { confine, findSandboxes, type Sandbox } from "../../../../agents/lib/review/index.ts";
import { judgeSandboxes, probeSandbox } from "../../../../workflows/review/index.ts";

const bwrap: Sandbox = { by: "bwrap", program: "/usr/bin/bwrap" };
const unshare: Sandbox = { by: "unshare", program: "/usr/bin/unshare" };
const WHOLE = { write: "EROFS", socket: "ECONNREFUSED" };
const OFFLINE = { write: null, socket: "ENETUNREACH" };

function makeDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "sandbox-")));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("the first sandbox with both measures is chosen, else the first with one; the reason for a lack is told", () => {
  expect(judgeSandboxes([{ sandbox: bwrap, attempt: WHOLE }])).toEqual({
    sandbox: bwrap,
    readOnly: { had: true, by: "bwrap" },
    noNetwork: { had: true, by: "bwrap" },
  });
  expect(judgeSandboxes([{ sandbox: unshare, attempt: OFFLINE }])).toEqual({
    sandbox: unshare,
    readOnly: { had: false, why: "bwrap is not installed" },
    noNetwork: { had: true, by: "unshare" },
  });
  const denied = { failed: "setting up uid map: Permission denied" };
  const attempts = [
    { sandbox: bwrap, attempt: denied },
    { sandbox: unshare, attempt: { failed: "Operation not permitted" } },
  ];
  const why =
    "bwrap does not work here (setting up uid map: Permission denied); unshare does not work here (Operation not permitted)";
  expect(judgeSandboxes(attempts)).toEqual({
    sandbox: null,
    readOnly: { had: false, why },
    noNetwork: { had: false, why },
  });
});

test("a directory that the user may not write is no proof of a read-only view", () => {
  const { readOnly } = judgeSandboxes([{ sandbox: bwrap, attempt: { ...WHOLE, write: "EACCES" } }]);
  expect(readOnly).toMatchObject({ had: false });
});

test("a sandbox that does not confine counts for nothing", async () => {
  const directory = makeDirectory();
  // It drops the arguments of bubblewrap and runs the program as it is.
  const program = join(directory, "bwrap");
  writeFileSync(program, '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n', {
    mode: 0o755,
  });
  const { sandbox, readOnly, noNetwork } = await probeSandbox({
    directory,
    sandboxes: [{ by: "bwrap", program }],
  });
  expect({ sandbox, readOnly: readOnly.had, noNetwork: noNetwork.had }).toEqual({
    sandbox: null,
    readOnly: false,
    noNetwork: false,
  });
});

test("a sandbox that does not start is no sandbox, with its own message as the reason", async () => {
  const directory = makeDirectory();
  const program = join(directory, "unshare");
  writeFileSync(program, "#!/bin/sh\necho 'unshare: not today' >&2\nexit 1\n", { mode: 0o755 });
  const { sandbox, noNetwork } = await probeSandbox({ directory, sandboxes: [{ by: "unshare", program }] });
  expect(sandbox).toBeNull();
  expect(noNetwork).toEqual({
    had: false,
    why: "bwrap is not installed; unshare does not work here (not today)",
  });
});

test.skipIf(findSandboxes().length === 0)(
  "a measure of this system is had by the program that the probe names",
  async () => {
    const directory = makeDirectory();
    mkdirSync(join(directory, "src"));
    const { sandbox, readOnly, noNetwork } = await probeSandbox({ directory });
    if (sandbox === null) return expect([readOnly.had, noNetwork.had]).toEqual([false, false]);
    expect([readOnly, noNetwork]).toContainEqual({ had: true, by: sandbox.by });
  },
);

test("bubblewrap hides temporary folders, and shows the reviewed directory in them read-only", () => {
  const around = { readable: ["/tmp/repo", "/opt/analysers"], hidden: ["/tmp", "/run"], isRoot: false };
  const argv = confine(bwrap, around, ["/usr/bin/node", "x.js"]);
  const line = argv.join(" ");
  expect(line).toContain("--ro-bind / / ");
  expect(line).toContain("--tmpfs /tmp --tmpfs /run --ro-bind /tmp/repo /tmp/repo --unshare-net");
  expect(line.endsWith(" -- /usr/bin/node x.js")).toBe(true);
});
