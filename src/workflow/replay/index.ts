// Replays recorded logs against the definitions of today.
//
//   const { difference } = replayLog("order-81", texts, (name, version) => definitions.find(name, version));

export { type Replay, type ReplayDifference, replayLog } from "./replay.ts";
