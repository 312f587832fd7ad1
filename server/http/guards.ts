/** What a request must be before anything looks at it: for this host, and not sent by another site's page. */
import { HttpError } from "./errors.ts";

/**
 * @param hosts names that this server is called by; those that name a port are meant with that port alone. null for any
 * @throws HttpError WRONG_HOST
 */
export function checkHost(request: Request, hosts: readonly string[] | null): void {
  if (hosts === null) return;
  const host = (request.headers.get("host") ?? new URL(request.url).host).toLowerCase();
  const name = host.replace(/:\d+$/, "");
  // Browsers leave the scheme's own port out.
  const said = host === name ? [name, `${name}:443`, `${name}:80`] : [name, host];
  if (hosts.some((one) => said.includes(one.toLowerCase()))) return;
  const shown = /^[\w.:[\]-]{1,255}$/.test(host) ? host : "that name";
  throw new HttpError(
    421,
    "WRONG_HOST",
    `This server is not called ${shown}. Open the address that was printed; or, if this is a tunnel or a proxy of yours, ` +
      `start it with --allow-host ${shown === host ? host : "<name>"} (in code, name it in hosts).`,
  );
}

/** A change comes from our own page, or from a program; never from a form or a script of another site. */
export function checkOrigin(request: Request): void {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new HttpError(415, "NOT_JSON", "A change is sent as content-type application/json.");
  }
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) {
    if (site === "same-origin" || site === "none") return;
    throw new HttpError(403, "OTHER_ORIGIN", "A change must come from the dashboard's own page.");
  }
  const origin = request.headers.get("origin");
  if (origin === null || hostOf(origin) === (request.headers.get("host") ?? new URL(request.url).host))
    return;
  throw new HttpError(403, "OTHER_ORIGIN", "A change must come from the dashboard's own page.");
}

/** An address that logs in is opened by somebody; no image, frame or script of a page tries it, or uses it up. */
export function checkIsOpened(request: Request): void {
  if ((request.headers.get("sec-fetch-dest") ?? "document") === "document") return;
  throw new HttpError(403, "OTHER_ORIGIN", "An address that logs in is opened in a window of its own.");
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};
