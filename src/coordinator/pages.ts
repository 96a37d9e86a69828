// Lists in pages: a reply must fit the payload limit of a NATS server, and what the office holds may be larger. Pure.

/** Characters of one page, about, as JSON: with three bytes each still below a server's default limit (1 MiB). */
const PAGE_CHARACTERS = 256 * 1_024;

/** One page; `next` asks for the one behind it, null ends the list. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** The first of `items`, which come in the order of their names, as far as they fit a page; at least one. */
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
