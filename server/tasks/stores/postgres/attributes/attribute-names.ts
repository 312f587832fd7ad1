/** The numbers of attributes, by type and name; remembered until a connection is new, as lanes are. */
import { lackingName } from "../../../core/attributes.ts";
import type { Attributes } from "../../../core/store.ts";
import type { Session } from "../connections/database.ts";
import { statement } from "../statement.ts";
import { type Behind, behindOf, readBehind } from "./attribute-work.ts";
import { isLackedBySome } from "./lacking-attributes.ts";

export interface NamedAttribute {
  attribute: number;
  type: string;
  name: string;
  /** Whether older tasks of the type wait for it to be filled in; of `lackingName`, whether there is a task that has it. */
  isFilling: boolean;
  /** Tasks of the type that the index lacks, or has as they were. */
  behind?: readonly Behind[];
}

export class AttributeNames {
  readonly #session: Session;
  readonly #byName = new Map<string, number>();
  #forgotten = 0;
  /** Those that there were when all were last read, the most that can be told without asking. */
  known: readonly NamedAttribute[] | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The number; made when it is new, in a transaction of its own. */
  async of(type: string, name: string, session = this.#session): Promise<number> {
    const known = this.#byName.get(`${type} ${name}`);
    if (known !== undefined) return known;
    const forgotten = this.#forgotten;
    let rows = await session.query(findName, [type, name]);
    if (rows.length === 0) rows = await session.query(insertName, [type, name]);
    const attribute = rows[0]![0] as number;
    if (forgotten === this.#forgotten) this.#byName.set(`${type} ${name}`, attribute);
    return attribute;
  }

  /**
   * The numbers of all attributes of these tasks. They are good for the statement that follows, whatever is forgotten
   * meanwhile: a connection may be made for the very question.
   */
  async ofAll(
    tasks: Iterable<{ type: string; attributes?: Attributes }>,
    session = this.#session,
  ): Promise<(type: string, name: string) => number> {
    const numbers = new Map<string, number>();
    for (const { type, attributes } of tasks) {
      for (const name in attributes) {
        const key = `${type} ${name}`;
        if (!numbers.has(key)) numbers.set(key, await this.of(type, name, session));
      }
    }
    return (type, name) => numbers.get(`${type} ${name}`)!;
  }

  /** Every attribute there is; read anew, since another process may have made one a moment ago. */
  async all(session = this.#session): Promise<readonly NamedAttribute[]> {
    const rows = await session.query(allNames);
    this.known = rows.map(([attribute, type, name, isFilling, noted]): NamedAttribute => {
      const behind = readBehind(noted);
      return { attribute, type, name, isFilling, ...(behind && { behind }) };
    });
    return this.known;
  }

  forget(): void {
    this.#forgotten += 1;
    this.#byName.clear();
    this.known = undefined;
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
  `SELECT attribute, type, name, CASE WHEN name = '${lackingName}' THEN ${isLackedBySome("attribute_names")}
      ELSE EXISTS (SELECT 1 FROM :schema.attribute_fills WHERE attribute = ANY(attributes)) END,
      ${behindOf("attribute_names.type")}
    FROM :schema.attribute_names ORDER BY attribute`,
);
