/** What conditions are tested on: a row as a task, which is made only of those that are asked about. */
import type { Subject } from "../../../core/filters/meets.ts";
import type { Attributes } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { searchableText } from "../../../core/values/searchable-text.ts";
import type { Connection } from "../connection.ts";
import { type AttemptRow, jsonOf, type Names, namesOf, type Row, toAttempts, toBareTask } from "../rows.ts";
import { sql } from "../statements.ts";
import { withNames, workerNames } from "../threads/write-context.ts";

export class Subjects {
  readonly #connection: Connection;
  #rows: Row[] = [];
  #names: Names | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The rows that are asked about next; their names are read with the first of them. */
  begin(rows: Row[]): void {
    this.#rows = rows;
    this.#names = undefined;
  }

  /** Nearly always one thing is asked of a task: nothing else is made of its row. */
  of(row: Row): Subject {
    let task: Task | undefined;
    let attributes: Attributes | undefined;
    let text: string | undefined;
    const taskOf = () => {
      this.#names ??= namesOf(withNames(this.#connection, this.#rows));
      task ??= toBareTask(row, this.#names);
      return task;
    };
    return {
      get task() {
        return taskOf();
      },
      get attributes() {
        attributes ??= row[19] ? (JSON.parse(row[19]) as Attributes) : {};
        return attributes;
      },
      get json() {
        return jsonOf(row);
      },
      text: () => {
        text ??= searchableText(taskOf(), this.#attemptsOf(row), jsonOf(row));
        return text;
      },
    };
  }

  #attemptsOf(row: Row) {
    const rows = this.#connection.prepare(sql.listAttempts).all(row[0]) as unknown as AttemptRow[];
    const workers = new Set(rows.map((attempt) => attempt[2]).filter((worker) => worker !== null));
    const names = withNames(this.#connection, [row]);
    return toAttempts(
      row,
      rows,
      namesOf({ lanes: names.lanes, workers: workerNames(this.#connection, workers) }),
    );
  }
}
