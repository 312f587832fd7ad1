/** What a page of another origin tries, in a browser that is logged in. Both functions run in that page. */

// What pages have and Node has not.
declare const document: any;
declare const navigator: any;

/** Everything by which a page can reach another origin. */
export async function attack(target: string): Promise<Record<string, string>> {
  const attempt = (path: string, init: RequestInit) =>
    fetch(target + path, { credentials: "include", ...init }).then(
      async (answer) => {
        const text = await answer.text();
        return text === "" && answer.type === "opaque" ? "refused" : `${answer.status} ${text}`;
      },
      () => "refused",
    );
  const element = (name: "img" | "script", path: string) =>
    new Promise<string>((done) => {
      const made = document.createElement(name);
      made.onload = () => done("loaded");
      made.onerror = () => done("refused");
      made.src = target + path;
      document.body.append(made);
    });
  const opened = (source: EventTarget) =>
    new Promise<string>((done) => {
      source.addEventListener("open", () => done("opened"));
      source.addEventListener("message", () => done("read"));
      source.addEventListener("error", () => done("refused"));
    });
  const headers = { "content-type": "application/json" };
  const cancel = "api/tasks/order-18/cancel";
  const frame = document.createElement("iframe");
  frame.src = target;
  document.body.append(frame);
  await new Promise((done) => {
    frame.onload = done;
  });
  return {
    read: await attempt("api/tasks/order-18", {}),
    opaque: await attempt("api/tasks/order-18", { mode: "no-cors" }),
    change: await attempt(cancel, { method: "POST", body: "{}", headers }),
    plainChange: await attempt(cancel, { method: "POST", body: "{}", mode: "no-cors" }),
    deletion: await attempt("api/tasks/order-18", { method: "DELETE" }),
    beacon: String(navigator.sendBeacon(target + cancel, "{}")),
    events: await opened(new EventSource(`${target}api/events`, { withCredentials: true })),
    socket: await opened(new WebSocket(`${target.replace("http", "ws")}api/events`)),
    image: await element("img", "icon.svg"),
    script: await element("script", "api/tasks/order-18"),
    // What is blocked is an error page, which no other page may look into.
    frame: frame.contentDocument === null ? "refused" : "shown",
  };
}

/** Sends a form that looks like JSON. */
export function submitForm(action: string): void {
  const form = document.createElement("form");
  Object.assign(form, { action, method: "post", enctype: "text/plain" });
  const field = document.createElement("input");
  Object.assign(field, { name: '{"a":"', value: '"}' });
  form.append(field);
  document.body.append(form);
  form.submit();
}
