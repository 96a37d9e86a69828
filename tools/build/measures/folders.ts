// The arrows inside a room: which of its folders import which. A box is a folder directly below the room, or a file beside
// those folders. The room's doors (`index.ts`, `internal.ts`) are left out: they import everything by their nature.
import { listFiles, readSource, roomOf, type Source } from "./tree.ts";

/** Files at a room's top that only pass names on. */
const DOORS = new Set(["index.ts", "internal.ts"]);

/** The arrows of one room. */
export interface RoomArrows {
  readonly room: string;
  readonly boxes: readonly string[];
  /** Imports between files of the room. */
  readonly imports: number;
  /** Distinct arrows between boxes, as `from -> to`, sorted. */
  readonly arrows: readonly string[];
  /** Boxes that reach themselves through others. */
  readonly circles: readonly string[];
}

/** The arrows inside a folder of src that is a room (`work`), or part of one (`coordinator/ballots`). */
export function readArrows(place: string): RoomArrows {
  const top = `src/${place}/`;
  const sources = listFiles()
    .filter((file) => file.startsWith(top) && file.endsWith(".ts"))
    .map(readSource);
  const arrows = new Set<string>();
  let imports = 0;
  for (const { file, imports: found } of sources) {
    for (const target of new Set(found.map((one) => one.target))) {
      if (!target.startsWith(top) || target === file) continue;
      imports += 1;
      const [from, to] = [boxOf(file, top), boxOf(target, top)];
      if (from !== to && !DOORS.has(from) && !DOORS.has(to)) arrows.add(`${from} -> ${to}`);
    }
  }
  const boxes = [...new Set(sources.map(({ file }) => boxOf(file, top)))].filter((box) => !DOORS.has(box));
  return { room: place, boxes, imports, arrows: [...arrows].sort(), circles: findCircles([...arrows]) };
}

/** The rooms of src, by name. */
export function listRooms(): string[] {
  const rooms = listFiles()
    .filter((file) => /^src\/[^/]+\//.test(file))
    .map(roomOf);
  return [...new Set(rooms)].sort();
}

/** How many names a room's door offers. */
export function countDoorNames(room: string): number {
  const source: Source = readSource(`src/${room}/index.ts`);
  return source.exported.length;
}

function boxOf(file: string, top: string): string {
  return file.slice(top.length).split("/")[0] ?? "";
}

function findCircles(arrows: readonly string[]): string[] {
  const next = Map.groupBy(arrows, (arrow) => arrow.split(" -> ")[0] ?? "");
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    (next.get(from) ?? []).some((arrow) => {
      const box = arrow.split(" -> ")[1] ?? "";
      if (box === to) return true;
      return !seen.has(box) && reaches(box, to, seen.add(box));
    });
  return [...next.keys()].filter((box) => reaches(box, box, new Set())).sort();
}
