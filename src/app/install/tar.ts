// Reads one file out of a tar archive, the form that releases of nats-server have, and packs text files into one. Pure. A tool for
// archives may be absent.
// Source of the format: POSIX.1-1988 ustar; 512-byte blocks, a header before each file.

const BLOCK = 512;

/** The fields of a ustar header, by offset and length in bytes. */
const FIELDS = {
  name: [0, 100],
  size: [124, 12],
  checksum: [148, 8],
  type: [156, 1],
} as const satisfies Record<string, readonly [number, number]>;

/**
 * The content of the first regular file whose last path segment is `name`; undefined when there is none.
 * @throws RangeError for bytes that are no tar archive, or a cut one.
 */
export function readTarFile(archive: Uint8Array, name: string): Uint8Array | undefined {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return undefined;
    if (checksumOf(header) !== octal(header, "checksum")) throw new RangeError(`no tar header at byte ${at}`);
    const size = octal(header, "size");
    const from = at + BLOCK;
    if (from + size > bytes.length) throw new RangeError(`the archive ends within ${text(header, "name")}`);
    const isFile = ["0", ""].includes(text(header, "type"));
    if (isFile && text(header, "name").split("/").at(-1) === name) return bytes.subarray(from, from + size);
    at = from + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new RangeError("the archive has no end");
}

function text(header: Buffer, field: keyof typeof FIELDS): string {
  const [from, length] = FIELDS[field];
  return header
    .toString("latin1", from, from + length)
    .replace(/\0.*$/s, "")
    .trim();
}

function octal(header: Buffer, field: keyof typeof FIELDS): number {
  const digits = text(header, field);
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : 0;
}

/** The sum of the bytes of a header, with spaces in the place of the sum itself. */
function checksumOf(header: Buffer): number {
  const [from, length] = FIELDS.checksum;
  return header.reduce((sum, byte, at) => sum + (at >= from && at < from + length ? 0x20 : byte), 0);
}

/** The longest path in a header; longer ones need the extensions of POSIX.1-2001. */
const MAX_NAME = FIELDS.name[1];

/**
 * Packs text files into an archive. `modifiedMs`: their time, Unix ms.
 * @throws RangeError for a path of more than 100 bytes.
 */
export function packTar(files: ReadonlyMap<string, string>, modifiedMs: number): Uint8Array {
  const blocks = [...files].flatMap(([name, content]) => {
    const data = Buffer.from(content, "utf8");
    const padding = Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK);
    return [headerOf(name, data.length, modifiedMs), data, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]); // two empty blocks end an archive
}

function headerOf(name: string, size: number, modifiedMs: number): Buffer {
  if (Buffer.byteLength(name) > MAX_NAME)
    throw new RangeError(`expected a path of at most ${MAX_NAME} bytes: ${name}`);
  const header = Buffer.alloc(BLOCK);
  const number = (value: number, at: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
  header.write(name, FIELDS.name[0], "utf8");
  number(0o600, 100, 8); // the mode
  number(0, 108, 8); // user
  number(0, 116, 8); // group
  number(size, ...FIELDS.size);
  number(Math.floor(modifiedMs / 1_000), 136, 12);
  header.write("0", FIELDS.type[0], "latin1"); // a regular file
  header.write("ustar\u000000", 257, "latin1");
  header.write(`${checksumOf(header).toString(8).padStart(6, "0")}\u0000 `, FIELDS.checksum[0], "latin1");
  return header;
}
