/**
 * Lanes: numbers for (type, queue) pairs, remembered once they are known to be committed, until a connection is new: a
 * standby that was promoted, or a backup that was restored, may not have the latest, and give their numbers to others.
 */
import type { Session } from "./connections/database.ts";
import { DenseStarts } from "./search/dense-starts.ts";
import { KnownPairs } from "./search/known-pairs.ts";
import { ShortLists } from "./search/short-lists.ts";
import { statement } from "./statement.ts";

/** What a reader of rows needs to know of a lane. */
export interface Lane {
  lane: number;
  type: string;
  queue: string;
  ownIds: boolean;
  /** The definition's. */
  description: string | null;
}

/** Descriptions of definitions are read again when they are older than this, */
const descriptionMsMax = 1_000;
/** and for those who do not wait for them than this. */
const oldDescriptionMsMax = 30_000;

export class Lanes {
  /** Those of them that have tasks, as searches know it. */
  readonly pairs = new KnownPairs();
  readonly shortLists = new ShortLists();
  readonly denseStarts = new DenseStarts();
  /** Whether some were of chosen ids when all were read. */
  haveChosenIds = false;
  readonly #session: Session;
  readonly #reads: Session;
  readonly #byName = new Map<string, number>();
  readonly #byNumber = new Map<number, Lane>();
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<unknown> | undefined;
  #forgotten = 0;

  constructor(session: Session & { reading?: Session }) {
    this.#session = session;
    this.#reads = session.reading ?? session;
  }

  /**
   * The lane's number; made when it is new, in a transaction of its own: one that waits for its commit elsewhere would
   * hold up everybody else's first task of that kind.
   */
  async of(type: string, queue: string, ownIds: boolean, session = this.#session): Promise<number> {
    const name = `${type} ${queue} ${ownIds}`;
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const forgotten = this.#forgotten;
    let rows = await session.query(findLane, [type, queue, ownIds]);
    if (rows.length === 0) rows = await session.query(insertLane, [type, queue, ownIds]);
    const lane = rows[0]![0] as number;
    // A connection that was made for the question, or meanwhile, may be to another server than the answer is from.
    if (forgotten === this.#forgotten) this.#byName.set(name, lane);
    return lane;
  }

  /** Known at once; undefined until `of` was asked for it. */
  known(type: string, queue: string, ownIds: boolean): number | undefined {
    return this.#byName.get(`${type} ${queue} ${ownIds}`);
  }

  forget(): void {
    this.#forgotten += 1;
    this.#byName.clear();
    this.#byNumber.clear();
    this.pairs.forget();
    this.forgetDescriptions();
  }

  /** What a definition says of its tasks has changed. */
  forgetDescriptions(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  /** Every lane there is, read anew. */
  async all(): Promise<Lane[]> {
    const readAt = performance.now();
    const rows = await this.#reads.query(allLanes);
    const lanes = rows.map(
      ([lane, type, queue, ownIds, description]): Lane => ({ lane, type, queue, ownIds, description }),
    );
    this.haveChosenIds = lanes.some(({ ownIds }) => ownIds);
    for (const found of lanes) {
      this.#byName.set(`${found.type} ${found.queue} ${found.ownIds}`, found.lane);
      this.#byNumber.set(found.lane, found);
    }
    this.#readAt = readAt;
    return lanes;
  }

  /**
   * What the numbers in rows stand for, without a question as long as they are known. A description that another process has
   * changed is learned of behind: a handler's start is not to wait for it.
   */
  async namedAtOnce(numbers: Iterable<number>): Promise<ReadonlyMap<number, Lane>> {
    const ageMs = performance.now() - this.#readAt;
    if (!Number.isFinite(ageMs) || ![...numbers].every((number) => this.#byNumber.has(number)))
      await this.all();
    else if (ageMs > oldDescriptionMsMax) this.#readBehind();
    return this.#byNumber;
  }

  #readBehind(): void {
    this.#reading ??= this.all()
      .catch(() => undefined)
      .finally(() => {
        this.#reading = undefined;
      });
  }

  /** What the numbers in rows stand for. */
  async named(numbers: Iterable<number>): Promise<ReadonlyMap<number, Lane>> {
    const isOld = performance.now() - this.#readAt > descriptionMsMax;
    if (isOld || ![...numbers].every((number) => this.#byNumber.has(number))) await this.all();
    return this.#byNumber;
  }
}

const findLane = statement(
  "findLane",
  "SELECT lane FROM :schema.lanes WHERE type = $1 AND queue = $2 AND own_ids = $3",
);
// The update changes nothing; it makes the row of a lane that another process made a moment ago come back too.
const insertLane = statement(
  "insertLane",
  `INSERT INTO :schema.lanes (type, queue, own_ids) VALUES ($1, $2, $3)
    ON CONFLICT (type, queue, own_ids) DO UPDATE SET own_ids = excluded.own_ids RETURNING lane`,
);
const allLanes = statement(
  "allLanes",
  `SELECT lane, lanes.type, lanes.queue, own_ids, definitions.description
    FROM :schema.lanes LEFT JOIN :schema.definitions ON definitions.id = lanes.type`,
);
