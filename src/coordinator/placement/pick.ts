// Picks several different agents for one question: for the seats of a ballot. Pure: chance is an argument.
import type { Chance } from "../../base/index.ts";
import { classField } from "../../protocol/index.ts";
import { type Candidate, choose, type Kinds, rank, without } from "./choose.ts";
import type { Wanted } from "./skills.ts";

/** The property, besides their ids, that should differ between picked agents, as far as there are enough such agents. */
export type Diversity = "model" | "agent" | "none";

/** A picked agent and its host. */
export interface Picked {
  readonly agent: string;
  readonly class?: string;
  readonly host: string;
}

/**
 * Picks up to `count` agents, best first; fewer when there are not enough. Diversity `model`: each further agent has a
 * model that no agent before it has, as long as there is one; an agent without a model counts as a model of its role.
 * Diversity `none`: when all agents are picked, agents are picked again (each pick counts as load).
 */
export function pick(
  kinds: Kinds,
  {
    count,
    diversity,
    exclude = new Set(),
    wanted,
  }: { count: number; diversity: Diversity; exclude?: ReadonlySet<string>; wanted: Wanted },
  chance: Chance,
): Picked[] {
  const allowed = without(kinds, exclude);
  const free = rank(allowed, { count, areBusy: false, wanted }, chance);
  let busy: Candidate[] | undefined;
  const picked: Picked[] = [];
  const times = new Map<string, number>();
  const models = new Set<string>();
  if (diversity === "model") takeAll((candidate) => !models.has(modelOf(candidate)));
  takeAll(() => true);
  while (diversity === "none" && picked.length < count) {
    const again = allowed.map((kind) => kind.map(withPicks));
    const choice = choose(again, wanted, chance);
    if (choice === null) break;
    note(choice);
  }
  return picked;

  /** Takes agents that fit and were not taken before; busy agents come after all free ones. */
  function takeAll(fits: (candidate: Candidate) => boolean): void {
    take(free, fits);
    if (picked.length === count) return;
    busy ??= rank(allowed, { count, areBusy: true, wanted }, chance);
    take(busy, fits);
  }

  function take(from: readonly Candidate[], fits: (candidate: Candidate) => boolean): void {
    for (const candidate of from) {
      if (picked.length === count) return;
      const { profile } = candidate;
      if (times.has(profile.id) || !fits(candidate)) continue;
      note({ agent: profile.id, ...classField(profile), host: profile.host });
      if (diversity === "model") models.add(modelOf(candidate));
    }
  }

  function note({ agent, host, ...choice }: Picked): void {
    picked.push({ agent, ...classField(choice), host });
    times.set(agent, (times.get(agent) ?? 0) + 1);
  }

  function withPicks(candidate: Candidate): Candidate {
    const { profile, takesWork, load, tasks, expectation } = candidate;
    const more = times.get(profile.id) ?? 0;
    return { profile, takesWork, load: load + more, tasks: tasks + more, expectation };
  }
}

function modelOf({ profile: { model, role } }: Candidate): string {
  return model ?? `of ${role}`;
}
