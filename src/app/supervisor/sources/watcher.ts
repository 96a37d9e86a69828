// Watches the files of the running roles for `up --watch`. It looks at the files at intervals and uses no notifications of the
// system: those are missing on network and container mounts, and watching a tree has limits. The caller decides the consequence.
import { createService, type Service } from "../../../base/index.ts";
import { noteLook, type Watch } from "./settle.ts";
import { readSources, type Sources, signSources } from "./sources.ts";

/** The time between two looks, in ms. One look at 100 files takes about 0.3 ms. */
const LOOK_INTERVAL_MS = 250;

/** Calls `onChange` when the files of a role changed and came to rest, and never twice at the same time for one role. */
export function createWatcher(options: {
  /** The agent file of each running role. It is asked at each look, because roles come and go. */
  roles: () => ReadonlyMap<string, string>;
  /** It resolves when the change was dealt with. It must not throw. */
  onChange: (role: string) => Promise<void>;
}): Service {
  const { roles, onChange } = options;
  const watched = new Map<string, { sources: Sources; watch: Watch }>();
  let isOpen = true;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const current = roles();
    for (const role of watched.keys()) if (!current.has(role)) watched.delete(role);
    for (const [role, file] of current) {
      const entry = watched.get(role);
      if (entry === undefined) {
        const sources = await readSources(file);
        watched.set(role, { sources, watch: { known: signSources(sources), pending: null } });
        continue;
      }
      const { watch, isSettled } = noteLook(entry.watch, signSources(entry.sources), Date.now());
      entry.watch = watch;
      if (!isSettled || !isOpen) continue;
      // The files are read before the consequence: a change during it is then seen as a further change.
      entry.sources = await readSources(file);
      entry.watch = { known: signSources(entry.sources), pending: null };
      await onChange(role);
    }
  }

  const plan = () => {
    if (!isOpen) return;
    timer = setTimeout(() => {
      looking = look().finally(plan);
      looking.catch(() => undefined);
    }, LOOK_INTERVAL_MS);
  };
  return createService({
    name: "watcher of agents' files",
    start: async () => {
      await look();
      plan();
    },
    stop: async () => {
      isOpen = false;
      clearTimeout(timer);
      await looking.catch(() => undefined);
    },
  });
}
