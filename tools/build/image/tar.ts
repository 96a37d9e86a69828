// Writes tar archives (POSIX.1-1988, "ustar") whose bytes depend on names, modes and contents only: the owner is root, the time is
// 1970, and the order is that of the names.
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

const BLOCK_BYTES = 512;
/** The longest name, and the longest folder before it, in bytes. */
const MAX_NAME_BYTES = 100;
const MAX_PREFIX_BYTES = 155;
const END = Buffer.alloc(2 * BLOCK_BYTES);

/** Packs the files and folders below `folder`; returns the size of the archive in bytes. @throws Error for a path too long. */
export function writeTar(folder: string, to: string): number {
  const out = openSync(to, "w");
  let bytes = 0;
  const write = (part: Buffer) => {
    bytes += writeSync(out, part);
  };
  const pack = (below: string) => {
    const names = readdirSync(join(folder, below)).sort();
    for (const name of names) {
      const path = below === "" ? name : `${below}/${name}`;
      const file = join(folder, path);
      const stat = statSync(file);
      if (stat.isDirectory()) {
        write(header(`${path}/`, { mode: 0o755, size: 0, type: "5" }));
        pack(path);
        continue;
      }
      const content = readFileSync(file);
      write(header(path, { mode: stat.mode & 0o777, size: content.length, type: "0" }));
      if (content.length > 0) write(content);
      const rest = content.length % BLOCK_BYTES;
      if (rest > 0) write(Buffer.alloc(BLOCK_BYTES - rest));
    }
  };
  try {
    pack("");
    write(END);
  } finally {
    closeSync(out);
  }
  return bytes;
}

function header(path: string, entry: { mode: number; size: number; type: "0" | "5" }): Buffer {
  const [name, prefix] = splitPath(path);
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(name, 0);
  octal(entry.mode, 100, 8);
  octal(0, 108, 8); // user
  octal(0, 116, 8); // group
  octal(entry.size, 124, 12);
  octal(0, 136, 12); // time
  block.write("        ", 148, "latin1"); // the checksum counts as blanks
  block.write(entry.type, 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** Splits a long path at a slash into a name and the folder before it. */
function splitPath(path: string): [name: string, prefix: string] {
  if (Buffer.byteLength(path) <= MAX_NAME_BYTES) return [path, ""];
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (
      name !== "" &&
      Buffer.byteLength(name) <= MAX_NAME_BYTES &&
      Buffer.byteLength(prefix) <= MAX_PREFIX_BYTES
    )
      return [name, prefix];
  }
  throw new Error(`the path is too long for an archive: ${path}`);
}
