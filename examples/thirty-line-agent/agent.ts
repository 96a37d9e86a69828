// An agent in thirty lines: counts the words of a text. A bad input is rejected before `run` is called.
import { defineAgent, TerminalError } from "murmur-swarm";
import { z } from "zod";

export default defineAgent({
  name: "thirty-line-agent",
  description: "Counts the words of a text and names the most frequent ones.",
  capabilities: ["count-words"],
  input: z.strictObject({ text: z.string(), top: z.int().min(1).max(100).default(3) }),
  output: z.object({ words: z.int(), top: z.array(z.object({ word: z.string(), times: z.int() })) }),
  async run(task, ctx) {
    const words = await ctx.step("split", () => task.input.text.toLowerCase().match(/\p{L}+/gu) ?? []);
    if (words.length === 0) throw new TerminalError("the text contains no words", { code: "invalid_input" });
    ctx.progress(50, `counting ${words.length} words`);

    const times = new Map<string, number>();
    for (const word of words) times.set(word, (times.get(word) ?? 0) + 1);
    const ranked = [...times].sort(([a, m], [b, n]) => n - m || a.localeCompare(b));

    ctx.broadcast("words.counted", { words: words.length });
    return {
      words: words.length,
      top: ranked.slice(0, task.input.top).map(([word, times]) => ({ word, times })),
    };
  },
});
