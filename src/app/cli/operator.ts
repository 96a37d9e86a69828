// The person at the command line, for histories and verdicts that name a person. The name comes from the machine and proves nothing.
import { userInfo } from "node:os";

/** The longest name, in characters: it fits every field for such a name. */
const MAX_LENGTH = 64;

/** The name of the user of this process; the user's number when there is no name, as in many containers. */
export function operatorName(): string {
  try {
    return userInfo().username.slice(0, MAX_LENGTH);
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`; // no entry in /etc/passwd: node throws ENOENT
  }
}
