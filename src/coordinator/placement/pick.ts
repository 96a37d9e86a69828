// Picks several different agents for one question: the seats of a ballot. Pure: chance is an argument.
import type { Chance } from "../../base/index.ts";
import { type Candidate, type Choice, choose, type Kinds } from "./choose.ts";
import type { Wanted } from "./skills.ts";

/** In what the picked agents should differ beside their ids, as far as there are enough that do. */
export type Diversity = "model" | "agent" | "none";

/**
 * Picks up to `count` agents, best first. With diversity `model`, each further one has a model that none before it has, as long
 * as there is one; an agent without a model counts as a model of its own role. With `none` an agent may be picked again
 * when all were (its load counts what it was picked for already). Gives fewer when there are not enough.
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
): Choice[] {
  const allowed =
    exclude.size === 0 ? kinds : kinds.map((kind) => kind.filter(({ profile }) => !exclude.has(profile.id)));
  const picked: Choice[] = [];
  const times = new Map<string, number>();
  const usedModels = new Set<string>();
  while (picked.length < count) {
    const unused = allowed.map((kind) => kind.filter(({ profile }) => !times.has(profile.id)));
    let choice: Choice | null = null;
    if (diversity === "model") {
      const diverse = unused.map((kind) => kind.filter((candidate) => !usedModels.has(modelOf(candidate))));
      choice = choose(diverse, wanted, chance);
    }
    choice ??= choose(unused, wanted, chance);
    if (diversity === "none")
      choice ??= choose(
        allowed.map((kind) => kind.map(withPicks)),
        wanted,
        chance,
      );
    if (choice === null) break;
    picked.push(choice);
    times.set(choice.agent, (times.get(choice.agent) ?? 0) + 1);
    if (diversity === "model") usedModels.add(modelOf(find(choice)));
  }
  return picked;

  function find({ agent }: Choice): Candidate {
    return allowed.flatMap((kind) => kind.find(({ profile }) => profile.id === agent) ?? [])[0] as Candidate;
  }

  function withPicks(candidate: Candidate): Candidate {
    const { profile, isOpen, load, tasks, expectation } = candidate;
    const more = times.get(profile.id) ?? 0;
    return { profile, isOpen, load: load + more, tasks: tasks + more, expectation };
  }
}

function modelOf({ profile: { model, role } }: Candidate): string {
  return model ?? `of ${role}`;
}
