// A connection whose bus is watched on its way: what travels over it otherwise is as it was.
import type { Transport } from "../../transport/index.ts";

/** A transport whose bus is another; everything else stays. */
export function withBus(transport: Transport, bus: Transport["bus"]): Transport {
  return {
    prefix: transport.prefix,
    bus,
    blobs: transport.blobs,
    snapshots: transport.snapshots,
    log: (stream) => transport.log(stream),
    queue: (stream) => transport.queue(stream),
    bucket: (bucket) => transport.bucket(bucket),
    get maxPayloadBytes() {
      return transport.maxPayloadBytes;
    },
    get state() {
      return transport.state;
    },
    changeServer: () => transport.changeServer(),
    onState: (onState) => transport.onState(onState),
    init: () => transport.init(),
    inspect: () => transport.inspect(),
    close: () => transport.close(),
  };
}
