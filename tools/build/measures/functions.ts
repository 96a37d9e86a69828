// How long the functions of src are: every function with a body in braces, from its first line to its last, nested ones too.
import { listFiles, readSource } from "./tree.ts";

/** Lengths in lines. */
export interface FunctionLengths {
  readonly count: number;
  readonly median: number;
  readonly p75: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export function measureFunctions(): FunctionLengths {
  const lengths = listFiles()
    .filter((file) => file.startsWith("src/") && file.endsWith(".ts"))
    .flatMap((file) => readSource(file).functions.map(({ lines }) => lines))
    .sort((a, b) => a - b);
  const at = (share: number) =>
    lengths[Math.min(lengths.length - 1, Math.floor(lengths.length * share))] ?? 0;
  return {
    count: lengths.length,
    median: at(0.5),
    p75: at(0.75),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  };
}
