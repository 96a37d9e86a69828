// A receiver of traces: takes OTLP over HTTP (protobuf) and keeps the spans. It reads the fields of opentelemetry/proto/trace/v1/trace.proto
// that the tests need, by their numbers.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it was received. */
export interface ReceivedSpan {
  service: string;
  traceId: string;
  spanId: string;
  parentId: string;
  name: string;
  kind: number;
  startNs: bigint;
  endNs: bigint;
  attributes: Record<string, string | number | boolean>;
  links: { traceId: string; spanId: string }[];
  isError: boolean;
}

export interface OtlpReceiver {
  url: string;
  spans: ReceivedSpan[];
  stop(): Promise<void>;
}

/** Starts a receiver on a free port. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      if (request.url === "/v1/traces") spans.push(...readRequest(Buffer.concat(parts)));
      response.writeHead(200, { "Content-Type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** One field of a message: its bytes, or its number. */
type Field = Buffer | bigint;

/** The fields of a protobuf message by number. Source: https://protobuf.dev/programming-guides/encoding/. */
function readMessage(bytes: Buffer): Map<number, Field[]> {
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const wire = Number(key & 7n);
    let field: Field;
    if (wire === 0) field = varint();
    else {
      const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4;
      field = bytes.subarray(at, at + length);
      at += length;
    }
    const number = Number(key >> 3n);
    fields.set(number, [...(fields.get(number) ?? []), field]);
  }
  return fields;
}

const messages = (fields: Map<number, Field[]>, number: number) =>
  (fields.get(number) ?? []).map((field) => readMessage(field as Buffer));
const bytes = (fields: Map<number, Field[]>, number: number) =>
  (fields.get(number)?.[0] ?? Buffer.alloc(8)) as Buffer;
const hex = (fields: Map<number, Field[]>, number: number) =>
  ((fields.get(number)?.[0] ?? Buffer.alloc(0)) as Buffer).toString("hex");
const text = (fields: Map<number, Field[]>, number: number) =>
  ((fields.get(number)?.[0] ?? Buffer.alloc(0)) as Buffer).toString("utf8");

function readAttributes(pairs: Map<number, Field[]>[]): ReceivedSpan["attributes"] {
  const read = (pair: Map<number, Field[]>) => {
    const value = messages(pair, 2)[0] ?? new Map<number, Field[]>();
    if (value.has(2)) return value.get(2)?.[0] === 1n;
    if (value.has(3)) return Number(value.get(3)?.[0]);
    if (value.has(4)) return bytes(value, 4).readDoubleLE();
    return text(value, 1);
  };
  return Object.fromEntries(pairs.map((pair) => [text(pair, 1), read(pair)]));
}

function readRequest(body: Buffer): ReceivedSpan[] {
  return messages(readMessage(body), 1).flatMap((resourceSpans) => {
    const resource = messages(resourceSpans, 1)[0] ?? new Map<number, Field[]>();
    const service = String(readAttributes(messages(resource, 1))["service.name"]);
    return messages(resourceSpans, 2).flatMap((scope) =>
      messages(scope, 2).map((span) => ({
        service,
        traceId: hex(span, 1),
        spanId: hex(span, 2),
        parentId: hex(span, 4),
        name: text(span, 5),
        kind: Number(span.get(6)?.[0] ?? 0),
        startNs: bytes(span, 7).readBigUInt64LE(),
        endNs: bytes(span, 8).readBigUInt64LE(),
        attributes: readAttributes(messages(span, 9)),
        links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
        isError: messages(span, 15)[0]?.get(3)?.[0] === 2n,
      })),
    );
  });
}
