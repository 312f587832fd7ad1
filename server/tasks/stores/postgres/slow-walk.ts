/** The tasks that ran for a second or longer, in the order of that, a chunk at a time; see slow-keys.ts. */
import type { StoreSearch } from "../../core/store.ts";
import type { CandidateReader } from "./candidate-reader.ts";
import { type Chunk, chunkMax, chunkMin } from "./chunks.ts";
import type { Context } from "./context.ts";
import { planningOnce } from "./planning.ts";
import { outline } from "./search.ts";
import { slowestPlaces } from "./slow-keys.ts";

/** From the search's place on. */
export async function* slowestChunks(
  { searching }: Context,
  search: StoreSearch,
  reader: CandidateReader,
): AsyncGenerator<Chunk> {
  let { after } = search;
  const first = search.where ? chunkMin : search.offset + search.limit;
  for (let limit = first; ; limit = Math.min(chunkMax, limit * 2)) {
    const { places, hasMore, read } = await searching.snapshot(async (session) => {
      const { pairs } = await outline(session, { ...search, definitions: false });
      const found = await slowestPlaces(session, { ...search, ...(after && { after }) }, pairs, limit);
      return { ...found, read: await reader.read(session, found.places) };
    }, planningOnce);
    const last = read.stoppedAt ?? places.at(-1);
    if (!last) return;
    yield { ...read, last };
    if (!hasMore && !read.stoppedAt) return;
    after = { ...last, backwards: search.after?.backwards ?? false };
  }
}
