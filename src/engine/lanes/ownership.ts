// Who serves a lane: the engine that wins it by rendezvous hashing over the living engines. Every engine computes the same owner from
// the same list, and an engine that joins or leaves moves only the lanes that it wins or had. There is no lock: a wrong belief
// costs a lost compare-and-set (runs/run.ts). Pure.
import { LANES, sha256 } from "../../protocol/index.ts";

/** The time between two beats of an engine, in ms. */
export const BEAT_MS = 500;
/** An engine counts as living for this time after its last beat, in ms: two beats may be lost. */
export const HEARD_MS = 1_500;

/** The engines that were heard, with the time of the last beat of each. */
export type Heard = ReadonlyMap<string, number>;

/** The living engines, sorted; always with `self`. */
export function livingEngines(heard: Heard, self: string, nowMs: number): string[] {
  const others = [...heard].filter(([id, atMs]) => id !== self && nowMs - atMs < HEARD_MS).map(([id]) => id);
  return [self, ...others].sort();
}

/** The owner of a lane: the engine with the highest hash of lane and id. @throws RangeError without an engine. */
export function ownerOf(lane: string, engines: readonly string[]): string {
  const ranked = engines
    .map((id) => ({ id, rank: sha256(`${lane}\n${id}`) }))
    .sort((a, b) => (a.rank < b.rank ? 1 : -1));
  if (ranked[0] === undefined) throw new RangeError(`lane ${lane} needs at least one engine`);
  return ranked[0].id;
}

/** The lanes of one engine among the living ones. */
export function lanesOf(self: string, engines: readonly string[]): string[] {
  return LANES.filter((lane) => ownerOf(lane, engines) === self);
}
