// The shape of an explanation.

/** One file, or several by name. A single text is `example.js`. */
export type Example = string | Readonly<Record<string, string>>;

/** The explanation of a kind of finding. */
export interface KindText {
  /** The problem, in one sentence. */
  what: string;
  /** Its consequence, and the way out. */
  why: string;
  /** Code with a finding of this kind. A test runs the analysers over it. */
  wrong: Example;
  /** Similar code without one. */
  right: Example;
}

/** Makes the lines `line(0)` to `line(count - 1)`, for examples of size. */
export function repeat(count: number, line: (at: number) => string): string {
  return Array.from({ length: count }, (_, at) => line(at)).join("");
}
