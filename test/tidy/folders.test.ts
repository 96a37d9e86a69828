import { join } from "node:path";
import { expect, test } from "vitest";
import { listRooms, type RoomArrows, readArrows } from "../../tools/build/measures/folders.ts";
import { expectGolden } from "../support/golden.ts";
import { ROOMS_WITH_CIRCLES } from "./rules.ts";

const rooms = listRooms().map(readArrows);

test("the arrows between the folders of each room are the reviewed ones", () => {
  const lines = rooms.flatMap(({ room, arrows }) => arrows.map((arrow) => `${room}: ${arrow}\n`));
  expectGolden(join(import.meta.dirname, "folder-graph.golden"), lines.join(""));
});

test.each(rooms.filter(({ room }) => !ROOMS_WITH_CIRCLES.includes(room)))(
  "no folder of $room reaches itself through others",
  ({ circles }: RoomArrows) => {
    expect(circles).toEqual([]);
  },
);

test("no folder of coordinator/ballots reaches itself through others", () => {
  expect(readArrows("coordinator/ballots").circles).toEqual([]);
});
