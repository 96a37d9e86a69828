// Replaces the bus of a connection, so that a process can count the requests on it.
import type { Transport } from "../../transport/index.ts";

/** The same transport with another bus. */
export function withBus(transport: Transport, bus: Transport["bus"]): Transport {
  return {
    prefix: transport.prefix,
    bus,
    clock: transport.clock,
    blobs: transport.blobs,
    snapshots: transport.snapshots,
    entries: transport.entries,
    log: (stream) => transport.log(stream),
    placedClasses: () => transport.placedClasses(),
    queue: (stream) => transport.queue(stream),
    bucket: (bucket) => transport.bucket(bucket),
    journalAgeMs: transport.journalAgeMs,
    get maxPayloadBytes() {
      return transport.maxPayloadBytes;
    },
    get state() {
      return transport.state;
    },
    changeServer: () => transport.changeServer(),
    onState: (onState) => transport.onState(onState),
    onReplyRefused: (onRefused) => transport.onReplyRefused(onRefused),
    onViolation: (onViolation) => transport.onViolation(onViolation),
    init: (options) => transport.init(options),
    inspect: (options) => transport.inspect(options),
    get silentStream() {
      return transport.silentStream;
    },
    get serverRisk() {
      return transport.serverRisk;
    },
    tryPermissions: (control, attempts) => transport.tryPermissions(control, attempts),
    checkServer: () => transport.checkServer(),
    close: () => transport.close(),
  };
}
