// The wait of a stream for a slow reader, the same for server-sent events and WebSockets.

/** The room in the buffer of one stream. One wait at a time. */
export class Room {
  #onChange: () => void = () => undefined;

  /** The reader may have taken something. */
  change(): void {
    this.#onChange();
  }

  /** Waits until `hasRoom` is true or `left` aborts. After `limitMs` without room it calls `cut`, and ends. */
  async wait(options: {
    hasRoom: () => boolean;
    left: AbortSignal;
    limitMs: number;
    cut: () => void;
  }): Promise<void> {
    const { hasRoom, left, limitMs, cut } = options;
    const room = Promise.withResolvers<void>();
    this.#onChange = () => {
      if (hasRoom()) room.resolve();
    };
    const timer = setTimeout(() => {
      cut();
      room.resolve();
    }, limitMs);
    left.addEventListener("abort", () => room.resolve(), { once: true });
    try {
      await room.promise;
    } finally {
      clearTimeout(timer);
      this.#onChange = () => undefined;
    }
  }
}
