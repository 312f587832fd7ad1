/** The PostgreSQL server of the bench: one of its own, durable, its data in the folder for temporary files. */
import { PostgresServer } from "../../tests/support/postgres-server.ts";

export const serverSettings = { shared_buffers: "512MB", max_wal_size: "8GB", max_connections: 400 };

export function startServer(): Promise<PostgresServer> {
  return PostgresServer.start({ durable: true, settings: serverSettings });
}
