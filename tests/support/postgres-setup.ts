/**
 * Vitest's global setup: one PostgreSQL for all test files of a run, started when the first test asks for it, so that
 * a run without such a test costs nothing. Test files run in processes of their own and ask by HTTP; see postgres.ts.
 */
import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { PostgresServer } from "./postgres-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Answers the server's URL; the tests ask by `postgresUrl()`. */
    postgresDesk: string;
    /** What the names of this run's schemas begin with. */
    postgresRun: string;
  }
}

const run = `dure "test" ${randomBytes(4).toString("hex")}`;
const given = process.env.DURE_TEST_POSTGRES;
let starting: Promise<PostgresServer> | undefined;
let desk: Promise<Server> | undefined;
let projects = 0;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  projects += 1;
  desk ??= openDesk();
  const { port } = (await desk).address() as AddressInfo;
  project.provide("postgresDesk", `http://127.0.0.1:${port}/`);
  project.provide("postgresRun", run);
  return teardown;
}

async function teardown(): Promise<void> {
  projects -= 1;
  if (projects > 0) return;
  (await desk)?.close();
  desk = undefined;
  const server = await starting?.catch(() => undefined);
  starting = undefined;
  await server?.remove();
  if (given) await dropSchemas(given);
}

async function openDesk(): Promise<Server> {
  const server = createServer(async (request, response) => {
    const kind = request.url!.slice(1);
    if (request.method === "PUT") putSpare(kind, await text(request));
    if (kind !== "") return response.end(request.method === "PUT" ? "" : spares.get(kind)?.pop());
    serverUrl().then(
      (url) => response.end(url),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server.unref();
}

/** Schemas for the next tests, by kind; what is said of each is for spare-schemas.ts. */
const spares = new Map<string, string[]>();

function putSpare(kind: string, spare: string): void {
  spares.set(kind, [...(spares.get(kind) ?? []), spare]);
}

async function serverUrl(): Promise<string> {
  if (given) return given;
  starting ??= PostgresServer.start();
  return (await starting).url();
}

/** A server that was lent to us is left as it was. */
async function dropSchemas(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(
      "SELECT quote_ident(nspname) AS name FROM pg_namespace WHERE nspname LIKE $1",
      [`${run}%`],
    );
    for (const { name } of rows) await client.query(`DROP SCHEMA ${name} CASCADE`);
  } finally {
    await client.end();
  }
}
