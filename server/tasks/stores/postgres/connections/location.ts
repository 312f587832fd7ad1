/** The connection string: one string that says where the tasks are, hosts, schema and the store's own options included. */
import { DureError } from "../../../core/errors.ts";
import { nearest } from "../../../core/names.ts";
import { isOpenToReaders, knowsMode, modesShown, setEncryption } from "./encryption.ts";

export interface Location {
  /** For messages: no password, no parameters. */
  shown: string;
  /** A connection string for the driver, one for each host, in order of preference. */
  connectionStrings: string[];
  /** Hosts to which everything goes unencrypted over a network, as the string says it should. */
  unencrypted: string[];
  schema: string;
  /** Connections for statements. Default 10. */
  poolSize: number;
  /** Whether to be told of new tasks by LISTEN. Default true. */
  listen: boolean;
  /** Prepared statements; 'auto' does without once a pooler refuses them. Default 'auto'. */
  prepare: "on" | "off" | "auto";
}

const schemaBytesMax = 63;

/**
 * @throws DureError INVALID_OPTION when the string is not a PostgreSQL address or an option in it is wrong; the message
 * never holds the password
 */
export function parseLocation(url: string): Location {
  const hosts = splitHosts(url);
  const { searchParams } = hosts[0]!;
  const schema = searchParams.get("schema") ?? "dure";
  if (schema === "" || Buffer.byteLength(schema) > schemaBytesMax || schema.includes("\0")) {
    throw refused(`schema must be a name of 1 to ${schemaBytesMax} bytes`);
  }
  if (schema.includes(":schema")) throw refused('schema must not hold ":schema"; choose another name');
  refuseMisspelt(searchParams);
  if (!knowsMode(hosts[0]!)) {
    throw refused(`sslmode is "${searchParams.get("sslmode")}"; expected ${modesShown}`);
  }
  return {
    shown: shown(hosts, schema),
    connectionStrings: hosts.map(forDriver),
    unencrypted: readUnencrypted(hosts),
    schema,
    poolSize: readInteger(searchParams, "pool_size", 10, 2, 1_000),
    listen: readWord(searchParams, "listen", ["on", "off"], "on") === "on",
    prepare: readWord(searchParams, "prepare", ["on", "off", "auto"], "auto"),
  };
}

const ownOptions = ["schema", "pool_size", "listen", "prepare", "unencrypted"];

/** Passwords and payloads go in the clear to another machine only where the string says so twice. */
function readUnencrypted(hosts: readonly URL[]): string[] {
  const open = hosts.filter((host) => isOpenToReaders(host)).map(({ host }) => host);
  const isAllowed =
    readWord(hosts[0]!.searchParams, "unencrypted", ["allow", "refuse"], "refuse") === "allow";
  if (open.length === 0 || isAllowed) return open;
  throw refused(
    `nothing that goes to ${open.join(", ")} would be encrypted, payloads and passwords included. Take out what asks for that ` +
      "(sslmode=disable, ssl, PGSSLMODE), or add unencrypted=allow where nobody else can read the network",
  );
}

/** `scheme://user@a:1,b:2/db` is one address per host; they share all the rest. */
function splitHosts(url: string): URL[] {
  const parts = /^(postgres(?:ql)?:\/\/)((?:[^@/?#]*@)?)([^/?#]*)(.*)$/is.exec(url);
  if (!parts) throw refused("expected postgres://user:password@host:5432/database");
  const [, scheme, user, hosts, rest] = parts as unknown as [string, string, string, string, string];
  return hosts.split(",").map((host) => {
    try {
      return new URL(`${scheme.toLowerCase()}${user}${host}${rest}`);
    } catch {
      // What looks like a host may be part of a password with an @ in it.
      throw refused(
        "a host in it cannot be read; write special characters of the password as %40 and the like",
      );
    }
  });
}

function shown(hosts: readonly URL[], schema: string): string {
  const first = hosts[0]!;
  const address = `postgres://${hosts.map(({ host }) => host).join(",")}${first.pathname}`;
  return schema === "dure" ? address : `${address} (schema ${schema})`;
}

function forDriver(url: URL): string {
  const own = new URL(url);
  for (const name of [...ownOptions, "target_session_attrs"]) own.searchParams.delete(name);
  setEncryption(own);
  return own.href;
}

/** The driver passes over what it does not know, so an option of ours that is nearly right would be lost. */
function refuseMisspelt(parameters: URLSearchParams): void {
  for (const name of parameters.keys()) {
    const meant = ownOptions.includes(name)
      ? undefined
      : nearest(name.replaceAll("-", "_"), ownOptions, 1)[0];
    if (meant !== undefined) throw refused(`it has no option "${name}"; did you mean "${meant}"`);
  }
}

function readInteger(
  parameters: URLSearchParams,
  name: string,
  otherwise: number,
  min: number,
  max: number,
): number {
  const text = parameters.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw refused(`${name} is "${text}"; expected a whole number from ${min} to ${max}`);
}

function readWord<Word extends string>(
  parameters: URLSearchParams,
  name: string,
  words: readonly Word[],
  otherwise: Word,
): Word {
  const text = parameters.get(name) ?? otherwise;
  const word = words.find((known) => known === text);
  if (word !== undefined) return word;
  throw refused(`${name} is "${text}"; expected ${words.join(" or ")}`);
}

function refused(problem: string): DureError {
  return new DureError("INVALID_OPTION", `The PostgreSQL connection string: ${problem}.`);
}
