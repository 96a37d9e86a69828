// Who runs a command, as far as the machine knows: for histories and verdicts that name a person. It proves nothing.
import { userInfo } from "node:os";

/** Characters that fit every field that takes such a name. */
const MAX_LENGTH = 64;

/** The name of whoever runs this process; its number where it has no name, as in many containers. */
export function operatorName(): string {
  try {
    return userInfo().username.slice(0, MAX_LENGTH);
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`; // no entry in /etc/passwd: node throws ENOENT
  }
}
