// Explanations of the kinds about documentation.
import type { KindText } from "./text.ts";

const GUIDE = "# Guide\n\n## First steps\n\nBegin here.\n";

export const DOC_TEXTS: Readonly<Record<string, KindText>> = {
  "broken-link": {
    what: "A link in a page leads to a file that does not exist.",
    why: "Readers reach an error page. Fix the path, or remove the link.",
    wrong: { "README.md": "# Shop\n\nSee the [guide](docs/guides.md).\n", "docs/guide.md": GUIDE },
    right: { "README.md": "# Shop\n\nSee the [guide](docs/guide.md).\n", "docs/guide.md": GUIDE },
  },
  "broken-anchor": {
    what: "A link leads to a heading that does not exist.",
    why: "Readers arrive at the top of the page and have to search. Use the heading as it is now.",
    wrong: { "README.md": "# Shop\n\nSee the [first steps](docs/guide.md#start).\n", "docs/guide.md": GUIDE },
    right: {
      "README.md": "# Shop\n\nSee the [first steps](docs/guide.md#first-steps).\n",
      "docs/guide.md": GUIDE,
    },
  },
  "unknown-command": {
    what: "README or CONTRIBUTING names an npm script, or a program of the repository, that does not exist.",
    why: "The first command that a new reader types fails. Fix the command, or add the script.",
    wrong: {
      "package.json": '{ "name": "shop", "scripts": { "test": "vitest run" } }\n',
      "README.md": "# Shop\n\n```sh\nnpm run build\n```\n",
    },
    right: {
      "package.json": '{ "name": "shop", "scripts": { "test": "vitest run" } }\n',
      "README.md": "# Shop\n\n```sh\nnpm test\n```\n",
    },
  },
};
