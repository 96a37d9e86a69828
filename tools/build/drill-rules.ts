// Prints the rules for a drill, with shorter windows and waits: `node tools/build/drill-rules.ts FACTOR > rules.yaml`.
import { rulesFile } from "../../src/app/alerts/rules-file.ts";
import { drillTime } from "../../src/app/alerts/time.ts";

process.stdout.write(rulesFile(drillTime(Number(process.argv[2]))));
