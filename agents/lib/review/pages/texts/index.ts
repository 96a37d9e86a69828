// The explanations of all kinds.
import { ARCHITECTURE_TEXTS } from "./architecture.ts";
import { CORRECTNESS_TEXTS } from "./correctness.ts";
import { DOC_TEXTS } from "./docs.ts";
import { PERFORMANCE_TEXTS } from "./performance.ts";
import { SECURITY_TEXTS } from "./security.ts";
import { TEST_TEXTS } from "./tests.ts";
import type { KindText } from "./text.ts";

export type { Example, KindText } from "./text.ts";

/** The explanation of each kind. A test checks that every kind has one, and its examples. */
export const KIND_TEXTS: Readonly<Record<string, KindText>> = {
  ...SECURITY_TEXTS,
  ...CORRECTNESS_TEXTS,
  ...ARCHITECTURE_TEXTS,
  ...TEST_TEXTS,
  ...DOC_TEXTS,
  ...PERFORMANCE_TEXTS,
};
