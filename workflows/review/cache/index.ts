// The results of earlier reviews, in the user's cache folder.
//
//   const cache = new ResultCache({ store: new EntryStore({ folder, debug }), version: await analysersVersion(), isKept });
//   const report = await runReview(cache.wrap(ports), options);
//   await cache.save();

export { type CacheUse, NO_AGENT, ResultCache } from "./results.ts";
export { EntryStore, MAX_CACHE_BYTES } from "./store.ts";
export { analysersVersion } from "./version.ts";
