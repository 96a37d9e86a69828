// The conformance suite against a nats-server in a container: the image that operators run, its own defaults.
// Needs Docker and the image; without them the suite is skipped and says why.
import { NatsContainer } from "@testcontainers/nats";
import { getContainerRuntimeClient, ImageName } from "testcontainers";
import { test } from "vitest";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { describeTransport } from "./conformance.ts";

/** The image; another one by `MURMUR_NATS_IMAGE`. */
const IMAGE = process.env.MURMUR_NATS_IMAGE ?? "nats:2.14.5-alpine";
/** How long finding Docker and pulling the image may take. */
const PULL_TIMEOUT_MS = 60_000;
/** Reserved by each swarm of the suite; the container's store is as small as the machine's free disk. */
const TASK_BYTES = 16 * 1024 * 1024;

// The suite stops its container itself, and the reaper would need a second image.
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
      stop: async () => {
        await container.stop();
      },
    };
  });
} else {
  console.warn(`skipped the suite on a container: ${missing}`);
  test.skip(`the NATS transport on a container (${missing})`);
}

/** What keeps the suite from running; undefined when nothing does. */
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
