// The one comment that silences findings of every analyser: `murmur-ignore <kind> -- reason`.
//
//   const comments = await collectIgnoreComments(directory, files);
//   const { findings, suppressed, notes } = applyIgnoreComments(merged, comments, () => true);

export {
  applyIgnoreComments,
  collectIgnoreComments,
  type IgnoreNote,
  type Suppressed,
} from "./apply.ts";
export { IGNORE_WORD, type IgnoreComment, readIgnoreComments } from "./comments.ts";
