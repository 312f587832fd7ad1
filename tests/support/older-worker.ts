/**
 * A worker of an earlier build, on PostgreSQL: it sends the statements that tests/fixtures/older-worker.json has kept of
 * that build, in its order and with its values, and knows nothing of what this build would do.
 */
import { readFileSync } from "node:fs";
import pg from "pg";
import { endings, type HistoryRow, rollUp, spansMs } from "../../server/tasks/core/port/store-history.ts";

interface Recorded {
  /** The newest schema that the build knew. */
  schema: number;
  statements: Record<string, string>;
}

export const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../fixtures/older-worker.json", import.meta.url), "utf8"),
);

export interface OlderClaim {
  place: string;
  seq: number;
  id: string;
  fence: number;
}

const type = "resize-image";
/** Of a claim's answer; what it tells of the claim itself comes before. */
const claimColumn = 7;

export class OlderWorker {
  readonly id: string;
  readonly #client: pg.Client;
  readonly #schema: string;
  #lane = 0;

  private constructor(client: pg.Client, schema: string, id: string) {
    this.#client = client;
    this.#schema = schema;
    this.id = id;
  }

  /** @param schema quoted */
  static async start(url: string, schema: string, id: string): Promise<OlderWorker> {
    const client = new pg.Client({ connectionString: url.replace(/\?.*/, "") });
    await client.connect();
    const worker = new OlderWorker(client, schema, id);
    await worker.#ask("registerWorker", [
      null,
      id,
      "machine",
      7,
      null,
      1,
      JSON.stringify([type]),
      null,
      15_000,
    ]);
    const found = await worker.#ask("findLane", [type, "default", false]);
    const [[lane]] = found.length > 0 ? found : await worker.#ask("insertLane", [type, "default", false]);
    worker.#lane = lane;
    return worker;
  }

  async enqueue(id: string): Promise<void> {
    const now = Date.now();
    const task = [id, this.#lane, false, 0, now, now, 3, true, '{"widthPx":640}'];
    await this.#ask("insertTask", [...task, ...Array(6).fill(null)]);
  }

  async claim(limit = 10): Promise<OlderClaim[]> {
    const table = `${this.#schema}.tasks`;
    const values = [null, this.id, [type], null, limit, true, table, [], [], [], [], false];
    const rows = await this.#ask("claimTasks", values);
    return rows.slice(1).map((row) => {
      const [place, seq, id, , , fence] = row.slice(claimColumn);
      return { place, seq: Number(seq), id, fence };
    });
  }

  /** Whether it was accepted. */
  async complete({ place, seq, id, fence }: OlderClaim): Promise<boolean> {
    const values = [null, this.id, [place], [seq], [id], [fence], ["null"], [null]];
    const [[count]] = await this.#ask("settleCompleted", values);
    return count === 1;
  }

  /** Whether it was accepted; the task is tried again at once. */
  async fail({ seq, id, fence }: OlderClaim): Promise<boolean> {
    const error = JSON.stringify({ name: "Error", message: "no" });
    const end = [[0], [seq], [id], [fence], ["failed"], [null], [null], [error], ["no"], [1], [null], [null]];
    return (await this.#ask("settleTasks", [null, this.id, ...end])).length === 1;
  }

  /** What this build counted itself and sent now and then: workers of today count by the commits that end attempts. */
  async addHistory(minutes: readonly HistoryRow[]): Promise<void> {
    const rows = rollUp(minutes);
    await this.#ask("addHistory", [
      rows.map(({ span }) => spansMs[span]),
      ...([rows.map(({ start }) => start), rows.map((row) => row.type)] as const),
      ...endings.map((ending) => rows.map((row) => row[ending])),
      ...[rows.map(({ waits }) => waits.max), rows.map(({ runs }) => runs.max)],
      rows.map(({ waits }) => JSON.stringify(waits.counts)),
      rows.map(({ runs }) => JSON.stringify(runs.counts)),
    ]);
  }

  async stop(): Promise<void> {
    await this.#ask("stopWorker", [null, this.id]);
  }

  end(): Promise<void> {
    return this.#client.end();
  }

  async #ask(name: string, values: unknown[]): Promise<any[]> {
    const text = recorded.statements[name]!.replaceAll(":schema", this.#schema);
    for (;;) {
      try {
        return (await this.#client.query({ name, text, values, rowMode: "array" })).rows;
      } catch (error) {
        // Several migrations are one transaction, which takes its locks in another order; that build's store asks again, too.
        if ((error as { code?: string }).code !== "40P01") throw error;
      }
    }
  }
}
