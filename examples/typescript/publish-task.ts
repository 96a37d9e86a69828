// Submits one task and reads its result, with the NATS client alone: the program imports nothing from Murmur and follows only
// its contract. The same in Python: ../python/publish_task.py.
//
//   NATS_URL=nats://127.0.0.1:4222 node examples/typescript/publish-task.ts '{"hello": "from TypeScript"}'
//
// It prints two lines of JSON: the announced result, and the same result, read from its stream.
import { randomUUID } from "node:crypto";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";

/** The swarm's prefix. Streams carry it in upper case. */
const prefix = process.env.MURMUR_PREFIX ?? "murmur";
/** The longest wait for the result. The task is stored, so the end of the wait does not cancel it. */
const WAIT_MS = 30_000;

const taskId = `ts-${randomUUID()}`;
const input: unknown = JSON.parse(process.argv[2] ?? '{"hello": "from TypeScript"}');

const connection = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
try {
  // Subscribe first, on the same connection: the server publishes `done` as soon as the result is stored.
  const done = connection.subscribe(`${prefix}.done.echo.*.${taskId}`, { max: 1, timeout: WAIT_MS });

  // A durable publish: when it returns, a stream has stored the task.
  const meta = headers();
  meta.set("Content-Type", "application/json");
  meta.set("Murmur-Version", "1");
  await jetstream(connection).publish(
    `${prefix}.task.echo.normal.-.${taskId}`,
    JSON.stringify({ id: taskId, capability: "echo", input }),
    { msgID: taskId, headers: meta },
  );

  for await (const announced of done) console.log(JSON.stringify(announced.json()));

  // Any client can read the result later: it is the one message on the task's result subject.
  const manager = await jetstreamManager(connection);
  const stored = await manager.direct.getMessage(`${prefix.toUpperCase()}_RESULTS`, {
    last_by_subj: `${prefix}.result.echo.*.${taskId}`,
  });
  console.log(JSON.stringify(stored?.json()));
} finally {
  await connection.close();
}
