// Picks several different agents for one question: the seats of a ballot. Pure: chance is an argument.
import type { Chance } from "../../base/index.ts";
import { type Candidate, type Choice, choose } from "./choose.ts";
import type { Wanted } from "./skills.ts";

/** In what the picked agents should differ beside their ids, as far as there are enough that do. */
export type Diversity = "model" | "agent" | "none";

/**
 * Picks up to `count` agents, best first. With diversity `model`, each further one has a model that none before it has, as long
 * as there is one; an agent without a model counts as a model of its own role. With `none` an agent may be picked again
 * when all were (its load counts what it was picked for already). Gives fewer when there are not enough.
 */
export function pick(
  candidates: readonly Candidate[],
  {
    count,
    diversity,
    exclude = new Set(),
    wanted,
  }: { count: number; diversity: Diversity; exclude?: ReadonlySet<string>; wanted: Wanted },
  chance: Chance,
): Choice[] {
  const picked: Choice[] = [];
  const times = new Map<string, number>();
  const models = new Set<string>();
  const byId = new Map(candidates.map((candidate) => [candidate.profile.id, candidate]));
  const withPicks = (candidate: Candidate): Candidate => ({
    ...candidate,
    load: candidate.load + (times.get(candidate.profile.id) ?? 0),
  });
  while (picked.length < count) {
    const allowed = candidates.filter(({ profile }) => !exclude.has(profile.id));
    const unused = allowed.filter(({ profile }) => !times.has(profile.id));
    const diverse = unused.filter((candidate) => !models.has(modelOf(candidate)));
    const tiers = [
      ...(diversity === "model" ? [diverse] : []),
      unused,
      ...(diversity === "none" ? [allowed] : []),
    ];
    let choice: Choice | null = null;
    for (const tier of tiers) choice ??= choose(tier.map(withPicks), wanted, chance);
    if (choice === null) break;
    picked.push(choice);
    times.set(choice.agent, (times.get(choice.agent) ?? 0) + 1);
    models.add(modelOf(byId.get(choice.agent) as Candidate));
  }
  return picked;
}

function modelOf({ profile: { model, role } }: Candidate): string {
  return model ?? `of ${role}`;
}
