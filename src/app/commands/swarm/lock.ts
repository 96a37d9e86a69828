// `lock …`: locks of the swarm, for scripts and for a look.
import { showDuration, table } from "../../cli/terminal.ts";
import { acquireLock, listLocks, releaseLock } from "../../operations/locks.ts";
import { defineFace } from "../face.ts";
import { showAge } from "../views/age.ts";

const name = { positional: true, value: "NAME" } as const;

export const acquire = defineFace(acquireLock, {
  fields: { name, owner: { value: "ID" }, ttlMs: { value: "MS" }, waitMs: { value: "MS" } },
  examples: ["lock acquire deploy", "lock acquire deploy --ttl-ms 60000 --wait-ms 10000 --json"],
  details:
    "Exit code 1 when another owner holds it. Give the token to the thing that the lock protects: the token rises with every\nholder, so a write with a lower token is too late. The lease counts from before this command asked. An --owner who holds\nthe lock already gets its token again, and its lease stays as it was.",
  exitCode: ({ acquired }) => (acquired ? 0 : 1),
  render: ({ acquired, name: lock, owner, token, ttlMs, heldBy }) =>
    acquired
      ? `${lock} is held by ${owner} with token ${token} for ${showDuration(ttlMs)}`
      : `${lock} is held by ${heldBy}`,
});

export const release = defineFace(releaseLock, {
  fields: { name, owner: { value: "ID" }, token: { value: "N" } },
  examples: ["lock release deploy --owner cli-4k2m9x7q1z --token 7"],
  details: "Exit code 1 when it is not held by that owner with that token any more.",
  render: ({ name: lock }) => `released ${lock}`,
});

export const ls = defineFace(listLocks, {
  examples: ["lock ls", "lock ls --stale --json"],
  details: "Held locks by name, confirmed by the control log unless --stale is given.",
  render: ({ locks, ...age }) =>
    showAge(
      table(
        ["NAME", "OWNER", "TOKEN", "OVER IN", "WAITING"],
        locks.map(({ name: lock, owner, token, expiresInMs, waiting }) => [
          lock,
          owner,
          String(token),
          showDuration(expiresInMs),
          String(waiting),
        ]),
        "no lock is held",
      ),
      age,
    ),
});
