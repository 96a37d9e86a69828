// The conformance suite against a nats-server in a container: the image that operators run, with its own defaults.
// It needs Docker and the image; without them it is skipped and prints the reason.
import { NatsContainer } from "@testcontainers/nats";
import { getContainerRuntimeClient, ImageName } from "testcontainers";
import { test } from "vitest";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { describeTransport } from "./conformance.ts";
import { publishWithReply } from "./support.ts";

/** The image; `MURMUR_NATS_IMAGE` names another one. */
const IMAGE = process.env.MURMUR_NATS_IMAGE ?? "nats:2.14.5-alpine";
/** The time limit for finding Docker, and for pulling the image. */
const PULL_TIMEOUT_MS = 60_000;
/** The storage that each swarm of the suite reserves, because the container's store has only the machine's free disk. */
const TASK_BYTES = 16 * 1024 * 1024;

// The suite stops its container itself; the reaper would need a second image.
process.env.TESTCONTAINERS_RYUK_DISABLED ??= "true";

const missing = await findMissing();
if (missing === undefined) {
  describeTransport("the NATS transport on a container", async () => {
    const container = await new NatsContainer(IMAGE).withJetStream().start();
    const { servers, user = "", pass = "" } = container.getConnectionOptions();
    return {
      connect: ({ prefix, limits }) =>
        connectNats({
          servers: servers as string,
          credentials: { user, password: pass },
          prefix,
          limits: { taskBytes: TASK_BYTES, ...limits },
          name: "conformance",
          log: silentLogger,
          meter: createMeter(),
        }),
      publishWithReply: (subject, reply) =>
        publishWithReply({ servers: servers as string, user, pass }, subject, reply),
      stop: async () => {
        await container.stop();
      },
    };
  });
} else {
  console.warn(`skipped the suite on a container: ${missing}`);
  test.skip(`the NATS transport on a container (${missing})`);
}

/** The reason to skip the suite; undefined when it can run. */
async function findMissing(): Promise<string | undefined> {
  const client = await within(getContainerRuntimeClient()).catch(() => undefined);
  if (client === undefined) return "Docker is not reachable";
  const image = ImageName.fromString(IMAGE);
  if (await client.image.exists(image)) return undefined;
  try {
    await within(client.image.pull(image));
    return undefined;
  } catch {
    return `the image ${IMAGE} is neither here nor can it be pulled`;
  }
}

function within<T>(work: Promise<T>): Promise<T> {
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("timeout")), PULL_TIMEOUT_MS).unref();
  });
  return Promise.race([work, timeout]);
}
