// Asks the person at the terminal a question that is answered with yes or no.
import { createInterface } from "node:readline/promises";

/**
 * True when the person answers yes; false for any other answer, and at once where no person can answer: when standard input or standard error
 * is no terminal, or `isForPrograms`.
 * @throws the signal's reason when it aborts.
 */
export async function askYes(
  question: string,
  { isForPrograms, signal }: { isForPrograms: boolean; signal: AbortSignal },
): Promise<boolean> {
  if (isForPrograms || process.stdin.isTTY !== true || process.stderr.isTTY !== true) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
