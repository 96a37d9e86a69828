import { PermissionViolationError } from "@nats-io/nats-core";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Link } from "../../../src/transport/nats/link.ts";
import { tryPermissions } from "../../../src/transport/nats/trial.ts";

/** A link whose server answers each publish with `answer`, or delivers it and answers nothing. */
function fakeLink(answer: (subject: string, reply: string) => string | null) {
  const published: string[] = [];
  const listeners = new Set<(error: Error) => void>();
  const listen = (listener: (error: Error) => void) => {
    listeners.add(listener);
    return { close: () => listeners.delete(listener) };
  };
  const nc = {
    publish(subject: string, _body: string, { reply }: { reply: string }) {
      published.push(subject);
      const text = answer(subject, reply);
      if (text === null) return;
      for (const listener of [...listeners]) listener(PermissionViolationError.parse(text)!);
    },
    subscribe: () => ({ unsubscribe: () => undefined }),
  };
  const link = { nc, onServerError: listen, onState: () => ({ close: () => undefined }) };
  return { link: link as unknown as Link, published, listeners };
}

const ATTEMPTS = [
  { operation: "publish", subject: "swarm.task" },
  { operation: "publish", subject: "swarm.done" },
] as const;

test("a server that delivers messages with a reserved reply gets no attempt to publish but the harmless one", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { link, published, listeners } = fakeLink(() => null);
  const trial = tryPermissions(link, "harmless", ATTEMPTS);
  await vi.runAllTimersAsync();
  expect(await trial).toEqual(["untried", "untried"]);
  expect(new Set(published)).toEqual(new Set(["harmless"]));
  expect(listeners.size).toBe(0);
});

test("a user who may not publish the harmless subject gets no other attempt to publish", async () => {
  const { link, published } = fakeLink((subject) => `Permissions Violation for Publish to "${subject}"`);
  expect(await tryPermissions(link, "harmless", ATTEMPTS)).toEqual(["untried", "untried"]);
  expect(new Set(published)).toEqual(new Set(["harmless"]));
});

test("a publish is allowed when the server rejects its reply alone, and refused when it rejects its subject", async () => {
  const { link } = fakeLink((subject, reply) =>
    subject === "swarm.done"
      ? `Permissions Violation for Publish to "${subject}"`
      : `Permissions Violation for Publish with Reply of "${reply}"`,
  );
  expect(await tryPermissions(link, "harmless", ATTEMPTS)).toEqual(["allowed", "refused"]);
});
