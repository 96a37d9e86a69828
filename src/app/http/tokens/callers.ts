// The caller of a request and its rights: from its token to the entry of the file.
import { createHash, timingSafeEqual } from "node:crypto";
import { basename } from "node:path";
import { SwarmError } from "../../../protocol/index.ts";
import type { UserRights } from "../../permissions/index.ts";
import type { FollowedTokens } from "./followed.ts";
import { RateLimits } from "./rate.ts";
import type { TokenEntry } from "./tokens-file.ts";

/** A caller of the API. */
export interface ApiCaller {
  readonly rights: UserRights;
  /** True: a token of its own proves the name. False for callers that share one token, or need none. */
  readonly isProven: boolean;
  /** True while the API would still let the caller in. Streams ask again, because they outlive a revoked token. */
  isValid(): boolean;
}

/** The rights of each caller of an API without tokens, and of the one shared token. */
const SHARED_RIGHTS: UserRights = { user: "http", role: "http", access: "admin", capabilities: null };

/** The tokens that the API knows. */
export class Callers {
  /** The one shared token of now; undefined without one. */
  readonly #sharedToken: () => string | undefined;
  readonly #tokens: FollowedTokens | undefined;
  readonly #rates = new RateLimits();
  readonly #nowMs: () => number;

  constructor(parts: {
    sharedToken: () => string | undefined;
    tokens?: FollowedTokens | undefined;
    /** Unix ms. */
    nowMs?: () => number;
  }) {
    this.#sharedToken = parts.sharedToken;
    this.#tokens = parts.tokens;
    this.#nowMs = parts.nowMs ?? Date.now;
  }

  /** True when no request needs a token: then only this machine may reach the API. */
  get isOpen(): boolean {
    return this.#tokens === undefined && this.#sharedToken() === undefined;
  }

  /**
   * The caller of a request with this token.
   * @throws SwarmError `not_permitted` with the reason: no token, a wrong one, an expired one; `rate_limited`.
   */
  find(given: string | undefined): ApiCaller {
    if (this.isOpen) return { rights: SHARED_RIGHTS, isProven: false, isValid: () => this.isOpen };
    if (given === undefined) {
      throw new SwarmError("not_permitted", "send a token of the API: Authorization: Bearer …");
    }
    if (this.#isShared(given)) {
      return { rights: SHARED_RIGHTS, isProven: false, isValid: () => this.#isShared(given) };
    }
    const entry = this.#tokens?.find(given);
    if (entry === undefined) {
      throw new SwarmError("not_permitted", "the API does not know this token; murmur token new makes one");
    }
    if (this.#hasExpired(entry)) {
      throw new SwarmError(
        "not_permitted",
        `the token ${entry.name} expired at ${entry.expires}; murmur token new makes another`,
      );
    }
    const waitMs = this.#rates.take(entry);
    if (waitMs > 0) {
      throw new SwarmError(
        "rate_limited",
        `the token ${entry.name} may send ${entry.ratePerSecond} requests a second`,
        { retryAfterMs: waitMs },
      );
    }
    return {
      rights: rightsOf(entry, this.#tokens?.path),
      isProven: true,
      isValid: () => this.#tokens?.has(entry) === true && !this.#hasExpired(entry),
    };
  }

  #hasExpired({ expires }: TokenEntry): boolean {
    return expires !== undefined && Date.parse(expires) <= this.#nowMs();
  }

  /** Compares digests, so that the time reveals neither length nor prefix of the token. */
  #isShared(given: string): boolean {
    const token = this.#sharedToken();
    if (token === undefined) return false;
    const digest = (text: string) => createHash("sha256").update(text).digest();
    return timingSafeEqual(digest(given), digest(token));
  }
}

/** A caller of HTTP learns the name of the file, and not its folder on the machine of the API. */
function rightsOf({ name, access, capabilities, groups }: TokenEntry, place: string | undefined): UserRights {
  return {
    user: name,
    role: `token/${name}`,
    access,
    capabilities: capabilities ?? null,
    groups,
    place: place === undefined ? undefined : basename(place),
  };
}
