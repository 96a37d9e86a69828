// The offer of a WebSocket: a request that asks for one carries it through the app, so that the same border, routes and metrics serve
// it as every other request.
import type { Context } from "hono";
import type { WebSocket } from "ws";

/** Takes an open socket. */
export type TakeSocket = (socket: WebSocket) => void;

/** One offer. The handler of a route accepts it; an offer that no handler accepts is answered as HTTP. */
export class SocketOffer {
  #take: TakeSocket | undefined;

  /** Accepts the offer. The returned response only tells the app that the request is answered; the socket replaces it. */
  accept(take: TakeSocket): Response {
    this.#take = take;
    return new Response(null);
  }

  /** The function that takes the socket; undefined while no handler has accepted the offer. */
  get taker(): TakeSocket | undefined {
    return this.#take;
  }
}

/** The offer of a request; undefined for a request that asks for no WebSocket. */
export function offerOf(context: Context): SocketOffer | undefined {
  return (context.env as { offer?: SocketOffer } | undefined)?.offer;
}

/** True for an answer that is a WebSocket. */
export function isUpgraded(context: Context): boolean {
  return offerOf(context)?.taker !== undefined;
}
