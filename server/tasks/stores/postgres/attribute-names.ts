/** The numbers of attributes, by type and name; remembered until a connection is new, as lanes are. */
import type { Session } from "./database.ts";
import { statement } from "./statement.ts";

export interface NamedAttribute {
  attribute: number;
  type: string;
  name: string;
}

export class AttributeNames {
  readonly #session: Session;
  readonly #byName = new Map<string, number>();
  #forgotten = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Known at once; undefined until `of` was asked for it. */
  known(type: string, name: string): number | undefined {
    return this.#byName.get(`${type} ${name}`);
  }

  /** The number; made when it is new, in a transaction of its own. */
  async of(type: string, name: string, session = this.#session): Promise<number> {
    const known = this.known(type, name);
    if (known !== undefined) return known;
    const forgotten = this.#forgotten;
    let rows = await session.query(findName, [type, name]);
    if (rows.length === 0) rows = await session.query(insertName, [type, name]);
    const attribute = rows[0]![0] as number;
    if (forgotten === this.#forgotten) this.#byName.set(`${type} ${name}`, attribute);
    return attribute;
  }

  /** Every attribute there is; read anew, since another process may have made one a moment ago. */
  async all(session = this.#session): Promise<readonly NamedAttribute[]> {
    const rows = await session.query(allNames);
    return rows.map(([attribute, type, name]): NamedAttribute => ({ attribute, type, name }));
  }

  forget(): void {
    this.#forgotten += 1;
    this.#byName.clear();
  }
}

const findName = statement(
  "findAttribute",
  "SELECT attribute FROM :schema.attribute_names WHERE type = $1 AND name = $2",
);
// The update changes nothing; it makes the row that another process made a moment ago come back too.
const insertName = statement(
  "insertAttribute",
  `INSERT INTO :schema.attribute_names (type, name) VALUES ($1, $2)
    ON CONFLICT (type, name) DO UPDATE SET name = excluded.name RETURNING attribute`,
);
const allNames = statement(
  "allAttributes",
  "SELECT attribute, type, name FROM :schema.attribute_names ORDER BY attribute",
);
