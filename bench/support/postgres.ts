/** The PostgreSQL server of the bench: one of its own, durable, its data in the folder for temporary files. */
import { PostgresServer } from "../../tests/support/postgres-server.ts";

export const serverSettings = { shared_buffers: "512MB", max_wal_size: "8GB", max_connections: 400 };

/** Of a database that knows letters beyond ASCII, as most have it; the server's own are of the locale C. */
export const knowsLetters =
  "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' LOCALE_PROVIDER libc";

export function startServer(): Promise<PostgresServer> {
  return PostgresServer.start({ durable: true, settings: serverSettings });
}
