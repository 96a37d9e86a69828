// Values that the chart must refuse, each with the part of the error that names the key. Data only.

/** A set of values that is wrong in one point. */
export interface WrongValues {
  /** The set of ci/ that is the base. */
  readonly base: "small" | "standard" | "keda" | "everything" | "external";
  readonly values: object;
  /** Texts that the error must contain. */
  readonly names: readonly string[];
}

const agents = (echo: object) => ({ agents: { echo } });
const bundled = (more: object) => ({ nats: { bundled: more } });

/** One entry for each kind of fault. */
export const WRONG_VALUES: readonly WrongValues[] = [
  // Unknown keys.
  { base: "small", values: { coordinator: { replicas: 3 } }, names: ["coordinator"] },
  { base: "small", values: { coordinators: { replica: 3 } }, names: ["/coordinators", "replica"] },
  { base: "small", values: { api: { token: "secret" } }, names: ["/api", "token"] },
  { base: "small", values: { nats: { password: "secret" } }, names: ["/nats", "password"] },
  { base: "small", values: { image: { name: "murmur" } }, names: ["/image", "name"] },
  { base: "small", values: agents({ role: "echo" }), names: ["/agents/echo", "role"] },
  { base: "small", values: agents({ autoscaling: { min: 1 } }), names: ["/agents/echo/autoscaling", "min"] },
  { base: "small", values: { networkPolicy: { enable: true } }, names: ["/networkPolicy", "enable"] },
  {
    base: "small",
    values: { networkPolicy: { api: [{ pods: {} }] } },
    names: ["/networkPolicy/api/0", "pods"],
  },
  // Wrong types and values.
  { base: "small", values: { coordinators: { replicas: 2 } }, names: ["/coordinators/replicas"] },
  { base: "small", values: { coordinators: { replicas: "3" } }, names: ["/coordinators/replicas"] },
  { base: "small", values: { coordinators: { replicas: 9 } }, names: ["/coordinators/replicas"] },
  { base: "small", values: { coordinators: { drainSeconds: 0 } }, names: ["/coordinators/drainSeconds"] },
  { base: "small", values: { api: { replicas: 0 } }, names: ["/api/replicas"] },
  { base: "small", values: { api: { enabled: "yes" } }, names: ["/api/enabled"] },
  { base: "small", values: { api: { tokenSecret: { name: "" } } }, names: ["/api/tokenSecret/name"] },
  { base: "small", values: { api: { tokenSecret: { name: "Token" } } }, names: ["/api/tokenSecret/name"] },
  { base: "small", values: { api: { tokensSecret: { name: "Api" } } }, names: ["/api/tokensSecret/name"] },
  { base: "small", values: { api: { tokensSecret: { file: "x" } } }, names: ["/api/tokensSecret", "file"] },
  { base: "small", values: { api: { ingress: { hosts: ["https://a"] } } }, names: ["/api/ingress/hosts/0"] },
  { base: "small", values: { api: { ingress: { path: "v1" } } }, names: ["/api/ingress/path"] },
  { base: "small", values: { prefix: "Murmur" }, names: ["/prefix"] },
  { base: "small", values: { logLevel: "loud" }, names: ["/logLevel"] },
  { base: "small", values: { env: { "MY-VARIABLE": "x" } }, names: ["/env"] },
  { base: "small", values: { env: { MURMUR_X: ["a"] } }, names: ["/env/MURMUR_X"] },
  { base: "small", values: { image: { digest: "sha256:1" } }, names: ["/image/digest"] },
  { base: "small", values: { image: { tag: "a b" } }, names: ["/image/tag"] },
  { base: "small", values: { image: { pullPolicy: "Sometimes" } }, names: ["/image/pullPolicy"] },
  { base: "small", values: { nats: { mode: "embedded" } }, names: ["/nats/mode"] },
  { base: "small", values: { nats: { url: "http://nats:4222" } }, names: ["/nats/url"] },
  { base: "small", values: { nats: { url: "nats://user:secret@nats:4222" } }, names: ["/nats/url"] },
  { base: "small", values: { nats: { ports: [] } }, names: ["/nats/ports"] },
  { base: "small", values: { nats: { ports: [70_000] } }, names: ["/nats/ports/0"] },
  { base: "small", values: bundled({ replicas: 2 }), names: ["/nats/bundled/replicas"] },
  { base: "small", values: bundled({ profile: "fast" }), names: ["/nats/bundled/profile"] },
  { base: "small", values: bundled({ storage: { size: "ten" } }), names: ["/nats/bundled/storage/size"] },
  {
    base: "small",
    values: bundled({ resources: { limits: { memory: "much" } } }),
    names: ["/nats/bundled/resources/limits/memory"],
  },
  { base: "small", values: { init: { replicas: 2 } }, names: ["/init/replicas"] },
  { base: "small", values: agents({ roles: "echo" }), names: ["/agents/echo/roles"] },
  { base: "small", values: agents({ roles: ["Echo"] }), names: ["/agents/echo/roles/0"] },
  { base: "small", values: agents({ capabilities: ["a.b"] }), names: ["/agents/echo/capabilities/0"] },
  { base: "small", values: agents({ class: "default-class" }), names: ["/agents/echo/class"] },
  { base: "small", values: agents({ slots: 0 }), names: ["/agents/echo/slots"] },
  { base: "small", values: agents({ replicas: -1 }), names: ["/agents/echo/replicas"] },
  { base: "small", values: { agents: { Echo: { roles: ["echo"] } } }, names: ["/agents", "Echo"] },
  { base: "small", values: { audit: { schedule: "daily" } }, names: ["/audit/schedule"] },
  { base: "small", values: { podMonitor: { interval: "often" } }, names: ["/podMonitor/interval"] },
  { base: "small", values: { prometheusRule: { objective: 99 } }, names: ["/prometheusRule/objective"] },
  {
    base: "small",
    values: { prometheusRule: { runbookBaseUrl: "x y" } },
    names: ["/prometheusRule/runbookBaseUrl"],
  },
  { base: "small", values: { prometheusRule: { rules: [] } }, names: ["/prometheusRule", "rules"] },
  {
    base: "small",
    values: { prometheusRule: { dashboardBaseUrl: "x y" } },
    names: ["/prometheusRule/dashboardBaseUrl"],
  },
  { base: "small", values: { grafanaDashboards: { enabled: "yes" } }, names: ["/grafanaDashboards/enabled"] },
  {
    base: "small",
    values: { extraResources: [{ kind: "ConfigMap" }] },
    names: ["/extraResources/0", "apiVersion"],
  },
  {
    base: "small",
    values: { permissions: { version: 2, coordinators: ["murmur-coordinator-0"] } },
    names: ["/permissions"],
  },
  // Faults between values.
  { base: "small", values: { auth: { enabled: true } }, names: ["auth.enabled"] },
  { base: "small", values: { nats: { mode: "external", url: "" } }, names: ["nats.url"] },
  { base: "small", values: { nats: { urlSecret: { name: "url" } } }, names: ["nats.urlSecret.name"] },
  { base: "small", values: bundled({ tlsSecret: "tls" }), names: ["nats.tls.caSecret.name"] },
  { base: "small", values: { api: { ingress: { enabled: true } } }, names: ["api.ingress.hosts"] },
  { base: "small", values: { api: { httpRoute: { enabled: true } } }, names: ["api.httpRoute.parentRefs"] },
  {
    base: "small",
    values: { fullnameOverride: "a-name-that-is-longer-than-thirty-characters" },
    names: ["fullnameOverride"],
  },
  { base: "small", values: { agents: { none: {} } }, names: ["agents.none.roles"] },
  {
    base: "small",
    values: agents({ roleConfigMaps: { greet: "greet" } }),
    names: ["agents.echo.roleConfigMaps.greet"],
  },
  {
    base: "small",
    values: agents({ autoscaling: { enabled: true } }),
    names: ["agents.echo.autoscaling.enabled"],
  },
  {
    base: "small",
    values: { agents: { "a-group-whose-name-is-much-too-long-for-a-pod": { roles: ["echo"] } } },
    names: ["agents.a-group-whose-name"],
  },
  { base: "small", values: { permissionsYaml: "a: [" }, names: ["permissionsYaml"] },
  {
    base: "small",
    values: { networkPolicy: { policies: { nosuch: {} } } },
    names: ["networkPolicy.policies.nosuch"],
  },
  {
    base: "small",
    values: { api: { service: { patch: [{ op: "remove", path: "/spec/nosuch" }] } } },
    names: ["api.service.patch[0]", "nosuch"],
  },
  {
    base: "small",
    values: { api: { service: { patch: [{ op: "test", path: "/spec/type", value: "NodePort" }] } } },
    names: ["api.service.patch[0]"],
  },
  {
    base: "small",
    values: { api: { service: { patch: [{ op: "put", path: "/spec/type" }] } } },
    names: ["/api/service/patch/0/op"],
  },
  {
    base: "small",
    values: { api: { service: { patch: [{ op: "add", path: "/spec/ports/9", value: {} }] } } },
    names: ["api.service.patch[0]", "9"],
  },
  { base: "standard", values: { permissionsYaml: "version: 1" }, names: ["permissionsYaml"] },
  {
    base: "standard",
    values: { coordinators: { replicas: 5 } },
    names: ["permissions.coordinators", "murmur-coordinator-4"],
  },
  {
    base: "standard",
    values: { permissions: { coordinators: ["a", "b", "c"] } },
    names: ["permissions.coordinators"],
  },
  { base: "standard", values: agents({ class: "other" }), names: ["agents.echo.class", "default, review"] },
  { base: "standard", values: agents({ class: "review" }), names: ["agents.echo.class"] },
  { base: "standard", values: agents({ slots: 5 }), names: ["agents.echo.slots"] },
  { base: "standard", values: { agents: { more: { roles: ["echo"] } } }, names: ["agents.more"] },
  {
    base: "keda",
    values: agents({ autoscaling: { minReplicas: 9 } }),
    names: ["agents.echo.autoscaling.minReplicas"],
  },
  { base: "keda", values: { api: { enabled: false } }, names: ["agents.echo.autoscaling.trigger"] },
  { base: "keda", values: { nats: { mode: "external" } }, names: ["agents.review-docs.autoscaling.trigger"] },
  {
    base: "external",
    values: { permissionsYaml: "version: 2\ncoordinators: []" },
    names: ["permissions.version"],
  },
];
