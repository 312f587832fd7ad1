/** The SQL that gives a PostgreSQL role what one kind of program needs. */
import { isPostgresUrl } from "./dure-options.ts";
import { DureError } from "./tasks/core/errors.ts";
import { parseLocation } from "./tasks/stores/postgres/connections/location.ts";
import type { RoleKind } from "./tasks/stores/postgres/grants.ts";
import { grantStatements, roleKinds } from "./tasks/stores/postgres/grants.ts";

export type { RoleKind };
export { roleKinds };

/**
 * Statements for the schema that `database` names; nothing is connected to.
 * @throws DureError INVALID_OPTION when the database is not PostgreSQL, or the role no name
 */
export function grantsFor(database: string, role: string, kind: RoleKind): string[] {
  if (!isPostgresUrl(database)) {
    throw new DureError(
      "INVALID_OPTION",
      "Only PostgreSQL has roles. Name a database: --database postgres://…; who may read an SQLite file is up to its folder.",
    );
  }
  return grantStatements(parseLocation(database).schema, role, kind);
}
