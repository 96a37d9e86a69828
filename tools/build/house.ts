// Measures how the house is written and built: `npm run house`. Prints the figures that CONTRIBUTING names; test/tidy
// fails when some of them get worse.
//
//   node tools/build/house.ts [--places] [--json]      --places lists the places of each pattern
import { parseArgs } from "node:util";
import { countDoorNames, listRooms, readArrows } from "./measures/folders.ts";
import { measureFunctions } from "./measures/functions.ts";
import { countPatterns, listProse, listTexts } from "./measures/prose.ts";

const { values } = parseArgs({ options: { places: { type: "boolean" }, json: { type: "boolean" } } });

const prose = countPatterns(listProse());
const texts = countPatterns(listTexts());
const rooms = [...listRooms(), "coordinator/ballots"].map((room) => ({
  ...readArrows(room),
  doorNames: room.includes("/") ? null : countDoorNamesOf(room),
}));
const functions = measureFunctions();

if (values.json === true) {
  process.stdout.write(`${JSON.stringify({ prose, texts, rooms, functions }, null, 2)}\n`);
} else {
  showPatterns("comments and hand-written pages", prose);
  showPatterns("texts in the code (errors, help, log lines, test titles)", texts);
  console.log("\nrooms                 boxes  arrows  imports  names at the door  boxes in circles");
  for (const { room, boxes, arrows, imports, doorNames, circles } of rooms) {
    const row = [
      room.padEnd(20),
      cell(boxes.length),
      cell(arrows.length),
      cell(imports),
      cell(doorNames ?? "-", 12),
    ];
    console.log(`${row.join("  ")}  ${circles.join(" ") || "-"}`);
  }
  const { count, median, p75, p90, p99, max } = functions;
  console.log(
    `\nfunctions of src with a body: ${count}; lines: median ${median}, p75 ${p75}, p90 ${p90}, p99 ${p99}, max ${max}`,
  );
}

function showPatterns(title: string, { words, counts }: typeof prose): void {
  console.log(`\n${title}: ${words} words`);
  for (const { name, hits, per10kWords, goal, places } of counts) {
    console.log(
      `  ${name.padEnd(40)} ${cell(hits)} hits  ${per10kWords.toFixed(1).padStart(6)} per 10,000 (goal ${goal})`,
    );
    if (values.places === true) for (const place of places) console.log(`      ${place}`);
  }
}

function countDoorNamesOf(room: string): number | null {
  return room === "app" ? null : countDoorNames(room);
}

function cell(value: number | string, width = 6): string {
  return String(value).padStart(width);
}
