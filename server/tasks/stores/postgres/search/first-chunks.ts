/**
 * An order is walked through before what an attribute's index gives is gathered and sorted, where so many tasks have the value that a
 * page of them is sooner met so. They may all lie far behind others there: then the walk ends, and they are gathered after all.
 */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { planningOnce } from "../connections/planning.ts";
import type { Context } from "../context.ts";
import type { Chunk } from "./chunks.ts";
import { estimateMax, gatheredMax, type KeySource } from "./key-source.ts";
import { countKept } from "./search.ts";

/** How many tasks of the order are looked at before the candidates of the source are gathered: as many as these are, or none. */
export async function walkedBefore(
  { searching }: Context,
  { where, types, queues, statuses, offset, limit }: StoreSearch,
  { index, estimate }: KeySource,
): Promise<number> {
  if (estimate >= gatheredMax) return Number.POSITIVE_INFINITY;
  // Of several conditions few may meet all.
  if (index !== "attributes" || estimate < estimateMax || where?.kind === "and") return 0;
  const filters = { ...(types && { types }), ...(queues && { queues }), ...(statuses && { statuses }) };
  const passing = await searching.snapshot((session) => countKept(session, filters), planningOnce);
  return estimate ** 2 < (offset + limit) * passing ? 0 : estimate;
}

/** Chunks until so many tasks have been looked at. */
export class FirstChunks {
  readonly #chunks: AsyncGenerator<Chunk>;
  readonly #most: number;
  #areShort = false;
  #last: Place | undefined;

  constructor(chunks: AsyncGenerator<Chunk>, most: number) {
    this.#chunks = chunks;
    this.#most = most;
  }

  /** Whether more were wanted. */
  get areShort(): boolean {
    return this.#areShort;
  }

  /** Of all that were looked at. */
  get last(): Place | undefined {
    return this.#last;
  }

  async *chunks(): AsyncGenerator<Chunk> {
    let seen = 0;
    for await (const chunk of this.#chunks) {
      yield chunk;
      this.#last = chunk.last;
      seen += chunk.seen;
      this.#areShort = seen >= this.#most;
      if (this.#areShort) return;
    }
  }
}
