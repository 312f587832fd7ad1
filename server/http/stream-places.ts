/** Places for live connections: so many in all, and so many for each caller, so that nobody holds them all. */
import { HttpError } from "./errors.ts";

const placesMax = 50;
/** A browser opens six to one host. */
const placesEachMax = 20;

export class StreamPlaces {
  readonly #taken = new Map<string, number>();
  #all = 0;

  /**
   * Takes a place; what it answers gives it back.
   * @param caller undefined where one cannot be told from another: those share what there is
   * @throws HttpError 429 when the caller has theirs, 503 when all are taken
   */
  take(caller: string | undefined): () => void {
    const own = caller === undefined ? 0 : (this.#taken.get(caller) ?? 0);
    if (own >= placesEachMax) throw tooMany(429, `${placesEachMax} live connections of yours are open`);
    if (this.#all >= placesMax) throw tooMany(503, `${placesMax} live connections are open`);
    this.#count(caller, 1);
    let isTaken = true;
    return () => {
      if (isTaken) this.#count(caller, -1);
      isTaken = false;
    };
  }

  #count(caller: string | undefined, change: 1 | -1): void {
    this.#all += change;
    if (caller === undefined) return;
    const own = (this.#taken.get(caller) ?? 0) + change;
    if (own === 0) this.#taken.delete(caller);
    else this.#taken.set(caller, own);
  }
}

function tooMany(status: 429 | 503, problem: string): HttpError {
  return new HttpError(status, "TOO_MANY_STREAMS", `${problem}; close one.`);
}
