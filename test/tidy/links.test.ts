import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, test } from "vitest";
import { listFiles, ROOT, readText } from "../../tools/build/measures/tree.ts";

interface Link {
  line: number;
  target: string;
}

/** The lines of a page without code. Lines of code blocks become empty lines, so that line numbers stay the same. */
function proseOf(page: string): string[] {
  let fence: string | undefined;
  return readText(page)
    .split("\n")
    .map((line) => {
      const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
      if (fence === undefined && mark !== undefined) fence = mark;
      else if (fence !== undefined && mark?.startsWith(fence) === true) fence = undefined;
      else if (fence === undefined) return line;
      return "";
    });
}

/** The links of a page to places in this checkout. */
function localLinks(page: string): Link[] {
  return proseOf(page).flatMap((line, index) =>
    [...line.replace(/`[^`]*`/g, "").matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)/g)]
      .map((match) => ({ line: index + 1, target: match[1] ?? match[2] ?? "" }))
      .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/i.test(target)),
  );
}

/** The anchors that GitHub makes from the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  return new Set(
    proseOf(page)
      .flatMap((line) => /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1] ?? [])
      .map((heading) => {
        const slug = heading
          .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, "")
          .replace(/\s/g, "-");
        const count = seen.get(slug) ?? 0;
        seen.set(slug, count + 1);
        return count === 0 ? slug : `${slug}-${count}`;
      }),
  );
}

test("every link from a page to this checkout has an existing target", () => {
  const broken = listFiles()
    .filter((file) => file.endsWith(".md"))
    .flatMap((page) =>
      localLinks(page)
        .filter(({ target }) => {
          const [path = "", anchor] = target.split("#");
          const file = path === "" ? page : posix.join(posix.dirname(page), decodeURI(path));
          if (file.startsWith("..") || !existsSync(join(ROOT, file))) return true;
          if (anchor === undefined || statSync(join(ROOT, file)).isDirectory()) return false;
          return file.endsWith(".md") && !anchorsOf(file).has(anchor);
        })
        .map(({ line, target }) => `${page}:${line} ${target}`),
    );
  expect(broken).toEqual([]);
});
