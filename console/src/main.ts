// The console: it finds the session, shows a login where the API wants a token, and then the view that the address names.
import { h, type JSX, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { linkTo, readAddress } from "./address.ts";
import { ApiError, findSession, hearSignOut, logIn, logOut } from "./api.ts";
import { HELP, VIEWS, viewOfKey } from "./keys.ts";
import { stopStream, useStream } from "./live.ts";
import { Dialog, Endings, keepRights } from "./parts.ts";
import type { Session } from "./types.ts";
import { AgentsView } from "./views/agents.ts";
import { BallotsView, BallotView } from "./views/ballots.ts";
import { DeadView } from "./views/dead.ts";
import { OfficeView } from "./views/office.ts";
import { ProblemsView } from "./views/problems.ts";
import { QueuesView } from "./views/queues.ts";
import { StuckView } from "./views/stuck.ts";
import { TaskView } from "./views/task.ts";
import { TasksView } from "./views/tasks.ts";
import { WorkflowsView, WorkflowView } from "./views/workflows.ts";

/** How long a lost stream may take to come back before the page greys, in ms: a reconnect after a restart is shorter. */
const CUT_AFTER_MS = 1_500;

function useAddress() {
  const [address, setAddress] = useState(() => readAddress(location.hash));
  useEffect(() => {
    const change = () => setAddress(readAddress(location.hash));
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  return address;
}

/** Puts a search into the address. Typing replaces the entry of the browser's history. */
function setSearch(view: string, q: string): void {
  history.replaceState(null, "", linkTo(view, "", { q }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function View({ view, id, q }: { view: string; id: string; q: string }): JSX.Element {
  const go = (next: string) => setSearch(view, next);
  if (id !== "" && view === "task") return h(TaskView, { id, key: id });
  if (id !== "" && view === "workflow") return h(WorkflowView, { id, key: id });
  if (id !== "" && view === "ballot") return h(BallotView, { id, key: id });
  if (view === "problems") return h(ProblemsView, {});
  if (view === "stuck") return h(StuckView, {});
  if (view === "dead") return h(DeadView, { search: q, go });
  if (view === "tasks") return h(TasksView, { search: q, go });
  if (view === "queues") return h(QueuesView, {});
  if (view === "agents") return h(AgentsView, { search: q, go });
  if (view === "workflows") return h(WorkflowsView, { search: q });
  if (view === "ballots") return h(BallotsView, {});
  if (view === "office") return h(OfficeView, {});
  return h(
    "section",
    {},
    h("h1", {}, "There is no such view"),
    h("p", {}, h("a", { href: linkTo("problems") }, "What is wrong now?")),
  );
}

function App({ session, onOut }: { session: Session; onOut: () => void }): JSX.Element {
  const { view, id, search } = useAddress();
  const [isHelp, setHelp] = useState(false);
  const state = useStream();
  const isCut = useCut(state !== "live");
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLElement && event.target.matches("input, select, textarea");
      if (event.key === "Escape" && isTyping) (event.target as HTMLElement).blur();
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]") !== null) return;
      const next = viewOfKey(event.key);
      if (next !== undefined) location.hash = linkTo(next);
      else if (event.key === "?") setHelp(true);
      else if (event.key === "/") document.getElementById("search")?.focus();
      else if (event.key === "j" || event.key === "k") document.querySelector<HTMLElement>(".rows")?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  useEffect(() => {
    document.title = `${VIEWS.find((each) => each.view === view)?.title ?? `${view} ${id}`} – ${session.swarm}`;
  }, [view, id]);
  const parent = VIEWS.find((each) => each.view === view || each.parts.includes(view))?.view;
  return h(
    "div",
    { class: isCut ? "app cut" : "app" },
    h("a", { class: "skip", href: "#title", onClick: skip }, "Skip to the view"),
    h(
      "header",
      { class: "top" },
      h("strong", { class: "swarm" }, session.swarm),
      h(
        "nav",
        { "aria-label": "views" },
        VIEWS.map((each) =>
          h(
            "a",
            {
              ...{ key: each.view, href: linkTo(each.view), title: `key ${each.key}` },
              ...(each.view === parent ? { "aria-current": "page" as const } : {}),
            },
            each.title,
          ),
        ),
      ),
      h("span", { class: "caller" }, session.needsLogin ? `${session.user} (${session.access})` : "no login"),
      h("button", { type: "button", class: "small", onClick: () => setHelp(true), title: "key ?" }, "keys"),
      session.needsLogin ? h("button", { type: "button", class: "small", onClick: onOut }, "log out") : null,
    ),
    h(
      "p",
      { class: `stream ${isCut ? "lost" : state}`, role: "status" },
      isCut
        ? "The stream is cut: the figures are those of before. Connecting again…"
        : state === "live"
          ? "live"
          : "connecting",
    ),
    h("main", {}, h(View, { view, id, q: search.q ?? "" })),
    h(Endings, {}),
    isHelp ? h(Help, { onClose: () => setHelp(false) }) : null,
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("title")?.focus();
}

/** True once something has been so for a while. */
function useCut(isLost: boolean): boolean {
  const [isCut, setCut] = useState(false);
  useEffect(() => {
    if (!isLost) {
      setCut(false);
      return;
    }
    const timer = setTimeout(() => setCut(true), CUT_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isLost]);
  return isCut;
}

function Help({ onClose }: { onClose: () => void }): JSX.Element {
  return h(
    Dialog,
    { title: "Keys", onClose },
    h(
      "dl",
      { class: "keys" },
      HELP.map(([key, about]) => h("div", { key }, h("dt", {}, h("kbd", {}, key)), h("dd", {}, about))),
    ),
    h("p", { class: "buttons" }, h("button", { type: "button", onClick: onClose }, "close")),
  );
}

function Login({
  onIn,
  problem,
}: {
  onIn: (session: Session) => void;
  problem: string | undefined;
}): JSX.Element {
  const [token, setToken] = useState("");
  const [failure, setFailure] = useState(problem);
  const submit = (event: Event) => {
    event.preventDefault();
    logIn(token.trim()).then(onIn, (error: unknown) => {
      setFailure(error instanceof ApiError ? error.message : "the login failed");
    });
  };
  return h(
    "main",
    { class: "login" },
    h("h1", {}, "Murmur"),
    h(
      "form",
      { onSubmit: submit },
      h("label", { for: "token" }, "Token of the API"),
      h("input", {
        ...{
          id: "token",
          type: "password",
          autocomplete: "off",
          required: true,
          value: token,
          maxLength: 512,
        },
        onInput: (event: Event) => setToken((event.currentTarget as HTMLInputElement).value),
      }),
      h("button", { type: "submit" }, "log in"),
    ),
    failure === undefined ? null : h("p", { class: "failure", role: "alert" }, failure),
    h("p", {}, "An operator makes a token with ", h("code", {}, "murmur token new NAME --access read"), "."),
  );
}

function Root({ found, problem }: { found: Session | null; problem: string | undefined }): JSX.Element {
  const [session, setSession] = useState(found);
  const [why, setWhy] = useState(problem);
  useEffect(() => {
    hearSignOut(() => {
      stopStream();
      setWhy("The session has ended: its token expired or was revoked.");
      setSession(null);
    });
  }, []);
  keepRights(session ?? undefined);
  const out = () => {
    stopStream();
    logOut()
      .catch(() => undefined)
      .finally(() => {
        setWhy(undefined);
        setSession(null);
      });
  };
  if (session === null) return h(Login, { onIn: setSession, problem: why });
  return h(App, { session, onOut: out, key: session.user });
}

/** Starts the console, also when the API does not answer yet. */
async function start(): Promise<void> {
  const place = document.getElementById("console");
  if (place === null) return;
  place.replaceChildren(); // the page's own word that it loads
  for (;;) {
    try {
      const found = await findSession();
      render(h(Root, { found, problem: undefined }), place);
      return;
    } catch (error) {
      const reason = error instanceof ApiError ? error.message : String(error);
      render(h("p", { class: "failure", role: "alert" }, `${reason}. Trying again…`), place);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

void start();
