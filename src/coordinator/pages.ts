// Cuts lists into pages: a reply must fit the payload limit of a NATS server, and the office's lists may be larger. Pure.

/**
 * The approximate size of one page, in characters of JSON. Even with three bytes a character, a page is below the default
 * payload limit of a server (1 MiB).
 */
const PAGE_CHARACTERS = 256 * 1_024;

/** One page. `next` is the name after which the next page starts; null means that this page is the last one. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** Takes the leading `items` that fit a page, and at least one. The items come in the order of their names. */
export function takePage<T>(items: Iterable<T>, nameOf: (item: T) => string): Page<T> {
  const page: T[] = [];
  let characters = 0;
  for (const item of items) {
    characters += JSON.stringify(item).length;
    const last = page.at(-1);
    if (last !== undefined && characters > PAGE_CHARACTERS) return { items: page, next: nameOf(last) };
    page.push(item);
  }
  return { items: page, next: null };
}
