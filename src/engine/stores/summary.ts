// The summary of a run in a header of its last message: lists read these headers alone. Pure.
import { tryJson } from "../../base/index.ts";
import { HEADERS, isJsonObject } from "../../protocol/index.ts";
import type { Incoming } from "../../transport/index.ts";
import type { RunSummary } from "../../workflow/index.ts";

/** The longest note in a summary, in characters: the header must stay small. */
const MAX_SUMMARY_NOTE_LENGTH = 200;
/** The most names of an approval in a summary. */
const MAX_SUMMARY_NAMES = 16;

/** The header of a summary: JSON in ASCII. */
export function showSummary({ note, waiting, blocked, ...rest }: RunSummary): string {
  const short = {
    ...rest,
    ...(note === undefined ? {} : { note: note.slice(0, MAX_SUMMARY_NOTE_LENGTH) }),
    ...(blocked === undefined
      ? {}
      : { blocked: { ...blocked, message: blocked.message.slice(0, MAX_SUMMARY_NOTE_LENGTH) } }),
    ...(waiting === undefined
      ? {}
      : {
          waiting:
            waiting.by === undefined ? waiting : { ...waiting, by: waiting.by.slice(0, MAX_SUMMARY_NAMES) },
        }),
  };
  return JSON.stringify(short).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Reads the summary of a message; null when another program wrote the message. */
export function readSummary(message: Pick<Incoming, "header">): RunSummary | null {
  const value = tryJson(message.header(HEADERS.run) ?? "");
  if (!isJsonObject(value) || typeof value.id !== "string" || typeof value.state !== "string") return null;
  return value as unknown as RunSummary;
}
