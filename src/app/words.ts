// Words of the command line: the flag of a key. Pure.

/** `httpPort` → `--http-port`. */
export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
