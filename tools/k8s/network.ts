// Evaluates NetworkPolicies as the documentation of Kubernetes defines them: may a pod open a connection to another one? The local
// cluster of the tests does not enforce policies, so a table of pods and ports is checked against the rendered ones instead. Pure.
import type { KubeObject } from "./pod-security.ts";

/** A label selector. */
interface Selector {
  readonly matchLabels?: Record<string, string>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}
interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}
interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly protocol?: string; readonly port?: number | string }[];
}
interface PolicySpec {
  readonly podSelector: Selector;
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

/** An end of a connection: a pod with its labels and those of its namespace, or an address outside the cluster. */
export type End =
  | { readonly labels: Record<string, string>; readonly namespace: string }
  | { readonly ip: string };

function matches(selector: Selector, labels: Record<string, string>): boolean {
  const isEqual = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    isEqual &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === "Exists") return value !== undefined;
      if (operator === "DoesNotExist") return value === undefined;
      const isIn = value !== undefined && values.includes(value);
      return operator === "In" ? isIn : !isIn;
    })
  );
}

/** IPv4 only. */
function isInside(ip: string, cidr: string): boolean {
  const [base = "", bits = "32"] = cidr.split("/");
  const number = (text: string) => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(ip) / size) === Math.floor(number(base) / size);
}

function isPeer(peer: Peer, end: End, policyNamespace: string): boolean {
  if (peer.ipBlock !== undefined) {
    const { cidr, except = [] } = peer.ipBlock;
    return "ip" in end && isInside(end.ip, cidr) && !except.some((each) => isInside(end.ip, each));
  }
  if ("ip" in end) return false;
  const isNamespace =
    peer.namespaceSelector === undefined
      ? end.namespace === policyNamespace
      : matches(peer.namespaceSelector, { "kubernetes.io/metadata.name": end.namespace });
  return isNamespace && (peer.podSelector === undefined || matches(peer.podSelector, end.labels));
}

function allows(
  rules: readonly Rule[],
  side: "from" | "to",
  end: End,
  port: number,
  protocol: string,
  namespace: string,
): boolean {
  return rules.some((rule) => {
    const peers = rule[side];
    const isOpen =
      peers === undefined || peers.length === 0 || peers.some((peer) => isPeer(peer, end, namespace));
    const isPort =
      rule.ports === undefined ||
      rule.ports.some((each) => each.port === port && (each.protocol ?? "TCP") === protocol);
    return isOpen && isPort;
  });
}

/** True when the policies let `from` connect to a port of `to`. Both ends must allow it; an end that no policy selects allows all. */
export function mayConnect(
  policies: readonly KubeObject[],
  { from, to, port, protocol = "TCP" }: { from: End; to: End; port: number; protocol?: string },
): boolean {
  const judge = (own: End, other: End, type: "Ingress" | "Egress") => {
    if ("ip" in own) return true;
    const selecting = policies.filter(({ metadata, spec }) => {
      const policy = spec as unknown as PolicySpec;
      return (
        metadata.namespace === own.namespace &&
        policy.policyTypes.includes(type) &&
        matches(policy.podSelector, own.labels)
      );
    });
    if (selecting.length === 0) return true;
    return selecting.some(({ metadata, spec }) => {
      const policy = spec as unknown as PolicySpec;
      const rules = (type === "Ingress" ? policy.ingress : policy.egress) ?? [];
      return allows(
        rules,
        type === "Ingress" ? "from" : "to",
        other,
        port,
        protocol,
        metadata.namespace ?? "",
      );
    });
  };
  return judge(from, to, "Egress") && judge(to, from, "Ingress");
}
