// The files that a review leaves out, each with its reason and the rule that named it.
//
//   const attributes = new AttributeReader(new Map([[".gitattributes", "gen/** linguist-generated"]]));
//   classifyPath("gen/a.ts", attributes.of("gen/a.ts")); // { reason: "generated", because: ".gitattributes: linguist-generated" }

export { AttributeReader, type Attributes, MAX_ATTRIBUTES_BYTES } from "./attributes.ts";
export { classifyCode, classifyPath, type FileFacts, readTopComments, type Verdict } from "./classify.ts";
export { type Candidate, findLibraries, readBanner } from "./libraries.ts";
export { type LinterList, MAX_LIST_BYTES, mayHoldList, parseJsonc, readLinterList } from "./linter-lists.ts";
export { ownNamesOf } from "./own-names.ts";
export {
  importersOf,
  LEFT_OUT_REASONS,
  type LeftOut,
  LeftOutCounter,
  type LeftOutReason,
  MAX_LISTED_FILES,
  renderLeftOut,
} from "./reasons.ts";
