// The address of the page: the view and its search, as the part of the URL behind `#`, so that a link shows the same to every reader.
// Pure.

/** A place in the console. */
export interface Address {
  /** The view: `problems`, `tasks`, `task`. */
  readonly view: string;
  /** The thing that the view shows; empty for a view of many. */
  readonly id: string;
  readonly search: Readonly<Record<string, string>>;
}

/** Reads the part of a URL behind `#`. Anything that is no address is the first view. */
export function readAddress(hash: string): Address {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [view = "", ...rest] = path.split("/");
  const search = Object.fromEntries(new URLSearchParams(query));
  return { view: view === "" ? "problems" : view, id: decode(rest.join("/")), search };
}

/** The address as a link. Empty fields of the search are left out. */
export function linkTo(
  view: string,
  id = "",
  search: Readonly<Record<string, string | undefined>> = {},
): string {
  const fields = Object.entries(search).filter((field): field is [string, string] => {
    return field[1] !== undefined && field[1] !== "";
  });
  const query = new URLSearchParams(fields).toString();
  const path = id === "" ? view : `${view}/${encodeURIComponent(id)}`;
  return `#/${path}${query === "" ? "" : `?${query}`}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
