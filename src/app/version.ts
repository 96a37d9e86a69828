// The program's version, from its package.json.
import { readFileSync } from "node:fs";

const packageFile = new URL("../../package.json", import.meta.url);

/** A semantic version such as `0.1.0`. */
export const VERSION: string = (JSON.parse(readFileSync(packageFile, "utf8")) as { version: string }).version;
