// Reads the reply subject of a JetStream delivery ($JS.ACK…), which carries the facts of the delivery. queue.ts uses it for
// pulls, and follow.ts for ordered consumers.

const NANOS_PER_MS = 1_000_000;
const DOT = 0x2e;
const ZERO = 0x30;
/** The number tokens of an ack subject that are read: deliveries, stream seq, consumer seq, time, pending. */
const NUMBER_TOKENS = 5;
/** An ack subject with at least this many dots has the two tokens for domain and account. */
const DOTS_WITH_DOMAIN = 10;

/** The facts of one delivery. All are 0 when the message has no ack subject. */
interface DeliveryFacts {
  /** How often the server has delivered this message, this delivery included. */
  readonly deliveryCount: number;
  readonly seq: number;
  /** The number of this delivery within its consumer: it rises by one with each delivery. */
  readonly consumerSeq: number;
  /** The time at which the stream stored the message; ms since 1970. */
  readonly storedAtMs: number;
  /** How many more messages the consumer had when this message left the server. */
  readonly pending: number;
}

/**
 * Reads the numbers of an ack subject (ADR-15):
 * `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<nanos>.<pending>[.<token>]`.
 * Reads digit by digit: this runs for every delivery, and splitting would make a dozen strings.
 */
export function readAckSubject(subject: string): DeliveryFacts {
  let dots = 0;
  for (let index = 0; index < subject.length; index++) if (subject.charCodeAt(index) === DOT) dots++;
  const first = dots >= DOTS_WITH_DOMAIN ? 6 : 4;
  const numbers: [number, number, number, number, number] = [0, 0, 0, 0, 0];
  let token = 0;
  for (let index = 0; index < subject.length && token < first + NUMBER_TOKENS; index++) {
    const code = subject.charCodeAt(index);
    if (code === DOT) token++;
    else if (token >= first) numbers[token - first] = numbers[token - first]! * 10 + (code - ZERO);
  }
  const [deliveryCount, seq, consumerSeq, nanos, pending] = numbers;
  return { deliveryCount, seq, consumerSeq, storedAtMs: Math.floor(nanos / NANOS_PER_MS), pending };
}
