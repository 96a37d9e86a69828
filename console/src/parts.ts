// The small parts of every view: states, ages, errors, facts, buttons for actions, dialogs, and the line that tells how an action ended.
import { type ComponentChildren, h, type JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api.ts";
import { showAgo, showDuration, showTime } from "./format.ts";
import { useTimed } from "./live.ts";
import type { Access, Session } from "./types.ts";

/** The child nodes of a part. */
export type Children = ComponentChildren;

const ACCESS_ORDER: readonly Access[] = ["read", "submit", "operate", "admin"];
let session: Session | undefined;

/** Keeps the session, before anything is shown. */
export function keepRights(next: Session | undefined): void {
  session = next;
}

/** True when the caller may do what needs this access. Without it, no button is shown; the API checks it all the same. */
export function may(access: Access): boolean {
  const own = session?.access;
  return own !== undefined && own !== null && ACCESS_ORDER.indexOf(own) >= ACCESS_ORDER.indexOf(access);
}

/** The tone of a state: it colours the word, which tells the same. */
const TONES: Readonly<Record<string, "good" | "busy" | "bad" | "wait">> = {
  ...{ completed: "good", idle: "good", leader: "good", answered: "good", open: "busy", undone: "wait" },
  ...{ running: "busy", working: "busy", preparing: "busy", reporting: "busy", starting: "busy" },
  ...{ failed: "bad", page: "bad", blocked: "bad", compensation_failed: "bad", died: "bad", silent: "bad" },
  ...{
    retrying: "wait",
    scheduled: "wait",
    waiting: "wait",
    pending: "wait",
    paused: "wait",
    ticket: "wait",
  },
  ...{ draining: "wait", compensating: "wait", stray: "bad", human: "wait", abstained: "wait" },
};

export function Badge({ of: state }: { of: string }): JSX.Element {
  return h("span", { class: `badge ${TONES[state] ?? ""}` }, state.replaceAll("_", " "));
}

/** A time as its age; the title has the time. */
export function Ago({ at }: { at: string | null | undefined }): JSX.Element {
  const text = useTimed((nowMs) => showAgo(at, nowMs));
  if (at === null || at === undefined) return h("span", {}, "–");
  return h("time", { dateTime: at, title: showTime(at, 0) }, text);
}

/** How old the figures of a view are. */
export function Age({ atMs, moreMs = 0 }: { atMs: number | undefined; moreMs?: number | null }): JSX.Element {
  const text = useTimed((nowMs) =>
    atMs === undefined
      ? "not read yet"
      : `as of ${showDuration(Math.max(0, nowMs - atMs + (moreMs ?? 0)))} ago`,
  );
  return h("span", { class: "age" }, text);
}

/** The heading of a view or of one of its parts, with the age of its figures. */
export function Heading(props: {
  level?: 1 | 2;
  title: Children;
  atMs?: number | undefined;
  moreMs?: number | null;
  children?: Children;
}): JSX.Element {
  const { level = 1, title, atMs, moreMs = 0, children } = props;
  return h(
    "header",
    { class: "heading" },
    h(`h${level}`, level === 1 ? { tabIndex: -1, id: "title" } : {}, title),
    "atMs" in props ? h(Age, { atMs, moreMs }) : null,
    children,
  );
}

/** The failure of a read. The figures of before stay, and are marked as old. */
export function Failure({ error }: { error: ApiError | undefined }): JSX.Element | null {
  if (error === undefined) return null;
  return h("p", { class: "failure", role: "alert" }, `${error.code}: ${error.message}`);
}

/** A line for a list without rows. */
export function Nothing({ children }: { children?: Children }): JSX.Element {
  return h("p", { class: "nothing" }, children);
}

/** Facts as pairs. Those without a value are left out. */
export function Facts({ of: pairs }: { of: readonly (readonly [string, Children])[] }): JSX.Element {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** A text of several lines, such as JSON or a stack. */
export function Text({ label, children }: { label: string; children: string }): JSX.Element {
  return h("pre", { tabIndex: 0, role: "region", "aria-label": label }, children);
}

/** A command with a button that copies it. */
export function Command({ text }: { text: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => setCopied(true));
  };
  return h(
    "li",
    { class: "command" },
    h("code", {}, text),
    h("button", { type: "button", class: "small", onClick: copy }, isCopied ? "copied" : "copy"),
  );
}

/** How the last action ended. */
interface Ending {
  readonly text: string;
  readonly isBad: boolean;
}
let ending: Ending | undefined;
let onEnding: () => void = () => undefined;

/** Tells how an action ended, in one line at the bottom. */
export function tell(text: string, isBad = false): void {
  ending = { text, isBad };
  onEnding();
}

/** The line that tells how the last action ended. A screen reader reads it out. */
export function Endings(): JSX.Element {
  const [shown, setShown] = useState<Ending | undefined>(undefined);
  useEffect(() => {
    onEnding = () => setShown(ending);
    return () => {
      onEnding = () => undefined;
    };
  }, []);
  const close = () => setShown(undefined);
  return h(
    "div",
    { class: "endings", role: "status" },
    shown === undefined
      ? null
      : h(
          "p",
          { class: shown.isBad ? "bad" : "good" },
          shown.text,
          h("button", { type: "button", class: "small", onClick: close, "aria-label": "close" }, "×"),
        ),
  );
}

/** Performs an action, tells its end, and resolves to true when it was done. */
export async function act(what: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    tell(`${what}: done`);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    tell(`${what}: ${error.message}`, true);
    return false;
  }
}

/** A button for an action. It is not there for a caller without the right, and works once at a time. */
export function Action(props: {
  label: string;
  access: Access;
  /** The action as the last line tells it, with its object: `cancel 01J…`. */
  what: string;
  run: () => Promise<unknown>;
  onDone?: () => void;
  tone?: "danger";
}): JSX.Element | null {
  const { label, access, what, run, onDone, tone } = props;
  const [isBusy, setBusy] = useState(false);
  if (!may(access)) return null;
  const start = async () => {
    setBusy(true);
    const isDone = await act(what, run);
    setBusy(false);
    if (isDone) onDone?.();
  };
  return h(
    "button",
    {
      ...{ type: "button", class: `small ${tone ?? ""}`, disabled: isBusy, onClick: () => void start() },
      "aria-label": `${label}: ${what}`,
    },
    label,
  );
}

/** A button that asks before it acts. */
export function AskedAction(
  props: Parameters<typeof Action>[0] & { question: Children },
): JSX.Element | null {
  const { question, ...action } = props;
  const [isOpen, setOpen] = useState(false);
  if (!may(action.access)) return null;
  const close = () => setOpen(false);
  const done = () => {
    close();
    action.onDone?.();
  };
  return h(
    "span",
    {},
    h(
      "button",
      {
        ...{ type: "button", class: `small ${action.tone ?? ""}`, onClick: () => setOpen(true) },
        "aria-label": `${action.label}: ${action.what}`,
      },
      `${action.label}…`,
    ),
    isOpen
      ? h(
          Dialog,
          { title: action.what, onClose: close },
          h("p", {}, question),
          h(
            "p",
            { class: "buttons" },
            h(Action, { ...action, onDone: done }),
            h("button", { type: "button", class: "small", onClick: close }, "leave it"),
          ),
        )
      : null,
  );
}

/** A dialog over the page. Escape closes it, and the focus goes back. */
export function Dialog(props: { title: string; onClose: () => void; children?: Children }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => (before instanceof HTMLElement ? before.focus() : undefined);
  }, []);
  return h(
    "dialog",
    { ref: dialog, onClose: props.onClose, "aria-label": props.title },
    h("h2", {}, props.title),
    props.children,
  );
}

/** A choice that is performed with the button beside it. */
export function Choice(props: {
  label: string;
  options: readonly string[];
  access: Access;
  what: (choice: string) => string;
  run: (choice: string) => Promise<unknown>;
  onDone?: () => void;
}): JSX.Element | null {
  const [choice, setChoice] = useState(props.options[0] ?? "");
  if (!may(props.access)) return null;
  const choose = (event: Event) => setChoice((event.currentTarget as HTMLSelectElement).value);
  return h(
    "span",
    { class: "choice" },
    h(
      "select",
      { "aria-label": `${props.label} of ${props.what("").trim()}`, value: choice, onChange: choose },
      props.options.map((option) => h("option", { key: option, value: option }, option)),
    ),
    h(Action, {
      ...{ label: props.label, access: props.access, what: props.what(choice) },
      run: () => props.run(choice),
      ...(props.onDone === undefined ? {} : { onDone: props.onDone }),
    }),
  );
}

/** A link to a place in the console. */
export function Go({ to, children }: { to: string; children?: Children }): JSX.Element {
  return h("a", { href: to }, children);
}
