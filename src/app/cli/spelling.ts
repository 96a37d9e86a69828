// Names commands as their reader types them. Messages and help say `murmur up`, and so do the messages of other processes; in a
// project that has the program as a package, the reader types `npx murmur up`. Pure.

/** Returns the text with every command named as `typed`. Only `murmur` before a word of `commands`, or a `[` of a usage, changes. */
export function createSpelling(typed: string, commands: readonly string[]): (text: string) => string {
  if (typed === "murmur") return (text) => text;
  const named = new RegExp(`(?<![\\w./-])murmur(?= (?:\\[|-|(?:${commands.join("|")})\\b))`, "g");
  return (text) => text.replace(named, typed);
}
