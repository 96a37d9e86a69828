// The configuration of a review: murmur-review.yaml.
//
//   const { config } = await readReviewConfig({ directory });
//   const { findings, switchedOff } = applyKinds(merged, config);

export { applyKinds, renderSwitchedOff, type SwitchedOff } from "./apply.ts";
export { parseReviewConfig, REVIEW_CONFIG_FILE, readReviewConfig } from "./read.ts";
export {
  DEFAULT_REVIEW_CONFIG,
  type KindRule,
  type ReviewConfig,
  reviewConfigJsonSchema,
  reviewConfigSchema,
} from "./schema.ts";
