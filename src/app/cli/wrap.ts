// Wraps the texts of the help. Pure.

/**
 * Wraps paragraphs to `width` columns. A line that begins with a space, and an empty line, stay as they are; other lines that follow
 * each other are one paragraph. A longer word has a line of its own.
 */
export function wrapText(text: string, width: number): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    let line = "";
    for (const word of paragraph.join(" ").split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    if (line !== "") lines.push(line);
    paragraph = [];
  };
  for (const line of text.split("\n")) {
    if (line !== "" && !line.startsWith(" ")) {
      paragraph.push(line);
      continue;
    }
    flush();
    lines.push(line);
  }
  flush();
  return lines.join("\n");
}

/** Wraps a command line before its flags to `width` columns, so that a shell still reads it as one. */
export function wrapCommand(line: string, width: number): string {
  const [first = "", ...parts] = line.split(/ (?=--[a-z])/);
  const lines = [first];
  for (const part of parts) {
    const last = lines.at(-1)!;
    // Two columns for the backslash and the space before it.
    if (last.length + 1 + part.length + 2 > width) {
      lines[lines.length - 1] = `${last} \\`;
      lines.push(`      ${part}`);
    } else lines[lines.length - 1] = `${last} ${part}`;
  }
  return lines.join("\n");
}
