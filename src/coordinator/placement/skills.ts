// Compares an agent's description with a task: its expertise and role with the task's labels, its triggers with the task's
// text. Pure.
import type { Profile } from "../registry/profile.ts";

/** The labels that name what a task needs: one or several words, separated by commas or blanks. */
const EXPERTISE_LABELS = ["expertise", "role"] as const;

/** The wishes of a task, read once for all agents. */
export interface Wanted {
  /** Lower case. */
  readonly expertise: readonly string[];
  /** Lower case, its words separated by single blanks, with a blank at both ends. */
  readonly text: string;
}

/** Reads the wishes of a task from its labels and the beginning of its input. */
export function readWanted(labels: Readonly<Record<string, string>> = {}, text = ""): Wanted {
  const named = EXPERTISE_LABELS.flatMap((label) => (labels[label] ?? "").toLowerCase().split(/[\s,]+/));
  return { expertise: [...new Set(named)].filter((word) => word !== ""), text: toWords(text) };
}

/** The share of the wanted expertise that the agent has, 0–1; null when none is wanted. */
export function matchExpertise({ expertise = [], role }: Profile, wanted: Wanted): number | null {
  if (wanted.expertise.length === 0) return null;
  const known = new Set([role, ...expertise].map((word) => word.toLowerCase()));
  return wanted.expertise.filter((word) => known.has(word)).length / wanted.expertise.length;
}

/** The agent's triggers that occur in the text as whole words. */
export function findTriggers({ triggers = [] }: Profile, { text }: Wanted): string[] {
  return triggers.filter((trigger) => {
    const words = toWords(trigger);
    return words.trim() !== "" && text.includes(words);
  });
}

function toWords(text: string): string {
  return ` ${text
    .toLowerCase()
    .split(/[^\p{L}\p{N}_+#]+/u) // c++ and c# are words
    .filter((word) => word !== "")
    .join(" ")} `;
}
