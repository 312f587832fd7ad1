/**
 * Whether a connection is encrypted, and the server's certificate checked. The driver by itself asks for neither; here every
 * host but this machine must show a certificate that holds, unless the connection string or PGSSLMODE says otherwise.
 */

const modes = ["disable", "prefer", "require", "verify-ca", "verify-full", "no-verify"] as const;
export const modesShown = `${modes.slice(0, -1).join(", ")} or ${modes.at(-1)}`;

/** The driver takes these for verify-full, and announces that it will not always. */
const meantAsVerifyFull = ["prefer", "require", "verify-ca"];

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether the string's `sslmode`, if it has one, is a known one. */
export function knowsMode(url: URL): boolean {
  const mode = url.searchParams.get("sslmode");
  return mode === null || (modes as readonly string[]).includes(mode);
}

/** Puts into the string how its connections are encrypted, where it does not say so. */
export function setEncryption(url: URL, environment: Environment = process.env): void {
  const { searchParams } = url;
  const mode = searchParams.get("sslmode");
  if (searchParams.get("uselibpqcompat") === "true") return;
  const isMeant = mode !== null && meantAsVerifyFull.includes(mode);
  if (isMeant || (!saysItself(url, environment) && !isLocal(url, environment))) {
    searchParams.set("sslmode", "verify-full");
  }
}

/** Whether what goes to this server can be read on its way. */
export function isOpenToReaders(url: URL, environment: Environment = process.env): boolean {
  if (isLocal(url, environment)) return false;
  const { searchParams } = url;
  const mode = searchParams.get("sslmode") ?? environment.PGSSLMODE;
  return mode === "disable" || ["0", "false"].includes(searchParams.get("ssl") ?? "");
}

function saysItself({ searchParams }: URL, { PGSSLMODE }: Environment): boolean {
  return searchParams.has("sslmode") || searchParams.has("ssl") || Boolean(PGSSLMODE);
}

/** This machine, by its loopback or by a socket in a folder. */
function isLocal(url: URL, { PGHOST }: Environment): boolean {
  const named = url.searchParams.get("host") || decodeURIComponent(url.hostname);
  const host = (named || PGHOST || "localhost").replace(/^\[|\]$/g, "").toLowerCase();
  return host.startsWith("/") || /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|::1)\.?$/.test(host);
}
