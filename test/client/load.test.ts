import { execFile } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const door = pathToFileURL(join(import.meta.dirname, "../../src/client/index.ts")).href;

/** Loads the door in a fresh process, then connects in vain; notes each module that Node resolves. */
const program = `
  import { registerHooks } from "node:module";
  const seen = new Set();
  registerHooks({ resolve: (name, context, next) => { const found = next(name, context); seen.add(found.url); return found; } });
  const { connect } = await import(${JSON.stringify(door)});
  const atImport = [...seen];
  await connect({ servers: "nats://127.0.0.1:1" }).catch(() => undefined);
  console.log(JSON.stringify({ atImport, atConnect: [...seen] }));
`;

/** The packages among the resolved modules. */
function packagesOf(urls: string[]): Set<string> {
  const found = urls.map(
    (url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url)?.[1],
  );
  return new Set(found.filter((name) => name !== undefined));
}

test("the door of the client loads no package, and a connection none for logs, metrics, machines, HTTP or commands", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  const { atImport, atConnect }: { atImport: string[]; atConnect: string[] } = JSON.parse(stdout);
  expect(atImport).toContain(door);
  expect([...packagesOf(atImport)]).toEqual([]);
  expect([...packagesOf(atConnect)].sort()).toEqual([
    "@msgpack/msgpack",
    "@nats-io/nats-core",
    "@nats-io/nkeys",
    "@nats-io/nuid",
    "@nats-io/transport-node",
    "tweetnacl",
    "ulid",
    "zod",
  ]);
});
