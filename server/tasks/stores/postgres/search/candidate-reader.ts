/**
 * Reads candidates of a search and tests its conditions on them. What has large values is tested a portion at a time and kept
 * without them, so that many candidates take no more memory than their rows do; `whole` reads them for those that are answered.
 */
import { meets, type Subject } from "../../../core/filters/meets.ts";
import type { Place, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import type { NamedAttribute } from "../attributes/attribute-names.ts";
import type { Session, Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { statusNumbers, type TaskRow, toTask } from "../rows.ts";
import { KeptTexts, madeTexts, textsOf } from "../texts/task-texts.ts";
import type { Along, Candidate } from "./along.ts";
import { firstOfSource, placeOf } from "./chunks.ts";
import { fits } from "./entries.ts";
import {
  attributesByTask,
  isOrderedByText,
  needsOf,
  readNoted,
  readSubjects,
  readTexts,
  type SubjectRow,
  subjectOf,
} from "./subjects.ts";
import { noValues, portionBytesMax, shareOf, ValueSizes } from "./value-sizes.ts";

/** Candidates that were tested. */
export interface Tested {
  /** Those that meet the conditions, in the order of their places. */
  met: Subject[];
  /** How many were looked at. */
  seen: number;
  /** The last place that was looked at, when the time was over before all were, or more was found than fits. */
  stoppedAt?: Place;
}

/** A candidate that was read. */
interface Subjected {
  task: Task;
  keys: string[] | null;
  text: string | null;
}

export class CandidateReader {
  readonly sizes = new ValueSizes();
  /** Set where whoever asks takes tasks in their order and stops at the one that does not fit: further ones need not be read. */
  bytesMax: number | undefined;
  /** All that there were when the search began, as far as it wanted to know. */
  names: readonly NamedAttribute[] | undefined;
  readonly #context: Context;
  readonly #search: StoreSearch;
  readonly #wants: ReturnType<typeof needsOf>;
  readonly #endsAt: number;

  constructor(context: Context, search: StoreSearch, endsAt: number) {
    this.#context = context;
    this.#search = search;
    this.#wants = needsOf(search.where);
    this.#endsAt = endsAt;
  }

  async attributes(session: Pick<Session, "query">): Promise<readonly NamedAttribute[]> {
    const names = this.names ?? (await this.#context.attributes.all(session));
    this.names = names;
    return names;
  }

  /** Reads tasks together with what finds them, of a search whose first candidates are most often its page. */
  along(session: Snapshot): Along {
    const most = firstOfSource(this.#search);
    const share = shareOf(portionBytesMax, most);
    const rows = () => readNoted(session, this.#statuses, this.#wants, share);
    return { session, most, rows: async () => this.#noted(await rows(), share) };
  }

  /** The tasks there that pass the plain filters. */
  async read(session: Session, places: readonly Candidate[]): Promise<Tested> {
    if (places.length === 0) return { met: [], seen: 0 };
    const order = new Map(places.map(({ id }, place) => [id, place]));
    const placeOf = ({ task }: Subjected) => order.get(task.id)!;
    const came = new Map(places.flatMap(({ id, row }) => (row === undefined ? [] : [[id, row]])));
    const rest = [...order.keys()].filter((id) => !came.has(id));
    const rows = rest.length > 0 ? await this.#first(session, rest) : [];
    const read = await this.#subjected([...[...came.values()].filter((row) => row !== null), ...rows]);
    const candidates = read.filter(({ task }) => fits(this.#search, task));
    candidates.sort((a, b) => placeOf(a) - placeOf(b));
    const { met, seen } = await this.#tested(session, candidates, (near) => this.#testedOf(session, near));
    const stoppedAt = seen < candidates.length && places[placeOf(candidates[seen]!) - 1];
    return { met, seen, ...(stoppedAt && { stoppedAt }) };
  }

  /** Of a search without conditions, tasks that were read in its order, those with more bytes of values without these. */
  async take(rows: readonly TaskRow[], share: number): Promise<Tested> {
    for (const row of rows) this.sizes.note(row, share);
    const lanes = await this.#context.lanes.named(new Set(rows.map((row) => row[1])));
    return { met: rows.map((row) => ({ task: toTask(row, lanes) })), seen: rows.length };
  }

  /** Of tasks in the order of the search. */
  async test(tasks: readonly Task[]): Promise<Tested> {
    if (!this.#search.where) return { met: tasks.map((task) => ({ task })), seen: tasks.length };
    const candidates = tasks.map((task): Subjected => ({ task, keys: null, text: null }));
    const { met, seen } = await this.#tested(this.#context.database.reading, candidates, (near) =>
      this.#testedAlone(near.map(({ task }) => task)),
    );
    return { met, seen, ...(seen < tasks.length && { stoppedAt: placeOf(this.#search, tasks[seen - 1]!) }) };
  }

  /** With the values that were left. What was deleted meanwhile is left out, and so is what was changed and does not fit any more. */
  async whole(tasks: readonly Task[]): Promise<Task[]> {
    const session = this.#context.database.reading;
    const versions = new Map(tasks.map(({ id, version }) => [id, version]));
    const whole = await this.sizes.whole(session, tasks, (numbers) => this.#context.lanes.named(numbers));
    const changed = new Set(
      whole.filter(({ id, version }) => version !== versions.get(id)).map(({ id }) => id),
    );
    if (changed.size === 0) return whole;
    // Once more with what conditions ask for, so that all of it is of one moment.
    const rows = await readSubjects(session, [...changed], null, this.#wants);
    const candidates = (await this.#subjected(rows)).filter(({ task }) => fits(this.#search, task));
    const met = await this.#testedOf(session, candidates);
    const now = new Map(met.map(({ task }) => [task.id, task]));
    return whole.flatMap((task) => (changed.has(task.id) ? (now.get(task.id) ?? []) : task));
  }

  /** Those whose values were left, and are asked for, are read; `seen` are all, unless it is enough before. */
  async #tested(
    session: Pick<Session, "query">,
    candidates: readonly Subjected[],
    test: (near: readonly Subjected[]) => Promise<Subject[]>,
  ): Promise<{ met: Subject[]; seen: number }> {
    const isLeft = ({ task, text }: Subjected) =>
      this.#wants.values && this.sizes.areLeft(task) && !this.#isOfText(text);
    const met = new Map<string, Subject>();
    const near = candidates.filter((candidate) => !isLeft(candidate));
    for (const subject of await test(near)) met.set(subject.task.id, subject);
    const left = candidates.filter(isLeft).map(({ task }) => task);
    let seen = candidates.length;
    const large: Task[] = [];
    for (const portion of this.sizes.portions(left, this.bytesMax)) {
      // One that does not fit is taken where it is the first.
      const isEnough =
        performance.now() > this.#endsAt || this.sizes.fitting(large, this.bytesMax) < large.length;
      if (portion[0] !== left[0] && isEnough) {
        seen = candidates.findIndex(({ task }) => task === portion[0]);
        break;
      }
      const ids = portion.map(({ id }) => id);
      const whole = await this.#subjected(await readSubjects(session, ids, null, this.#wants));
      for (const subject of await this.#testedOf(session, whole)) {
        const task = this.sizes.without(subject.task);
        met.set(task.id, { ...subject, task });
        large.push(task);
      }
    }
    return { met: candidates.slice(0, seen).flatMap(({ task }) => met.get(task.id) ?? []), seen };
  }

  /** Large values are left where they are; all of them, where texts alone say what is met. */
  async #first(session: Session, ids: readonly string[]): Promise<SubjectRow[]> {
    const isBare = isOrderedByText(this.#search);
    const share = isBare ? noValues : shareOf(portionBytesMax, ids.length);
    const rows = isBare
      ? await readTexts(session, ids, this.#statuses)
      : await readSubjects(session, ids, this.#statuses, this.#wants, share);
    return this.#noted(rows, share);
  }

  get #statuses(): number[] | null {
    return this.#search.statuses?.flatMap((name) => statusNumbers[name]) ?? null;
  }

  #noted(rows: SubjectRow[], share: number): SubjectRow[] {
    for (const [, , ...row] of rows) this.sizes.note(row as TaskRow, share);
    return rows;
  }

  #isOfText(text: string | null): boolean {
    return text !== null && isOrderedByText(this.#search);
  }

  async #subjected(rows: readonly SubjectRow[]): Promise<Subjected[]> {
    const lanes = await this.#context.lanes.named(new Set(rows.map((row) => row[3])));
    return rows.map(([keys, text, ...row]) => ({ keys, text, task: toTask(row as TaskRow, lanes) }));
  }

  async #testedOf(session: Pick<Session, "query">, candidates: readonly Subjected[]): Promise<Subject[]> {
    const { where } = this.#search;
    const names = this.#wants.attributes ? await this.attributes(session) : [];
    const bare = this.#wants.text ? candidates.filter(({ text }) => text === null) : [];
    const texts = await madeTexts(
      session,
      bare.map(({ task }) => task),
    );
    const kept = KeptTexts.of(this.#context.database);
    for (const { task } of bare) kept.keep(task, texts.get(task.id)!);
    return candidates
      .map(({ keys, text, task }) => subjectOf(task, names, keys, text ?? texts.get(task.id)))
      .filter((subject) => !where || meets(where, subject));
  }

  /** What the conditions ask for is read, too. */
  async #testedAlone(tasks: readonly Task[]): Promise<Subject[]> {
    const { database } = this.#context;
    const ids = tasks.map(({ id }) => id);
    const names = this.#wants.attributes ? await this.attributes(database.reading) : [];
    const keys = this.#wants.attributes ? await attributesByTask(database, ids) : undefined;
    const texts = this.#wants.text ? await textsOf(database, tasks) : undefined;
    return tasks
      .map((task) => subjectOf(task, names, keys?.get(task.id), texts?.get(task.id)))
      .filter((subject) => meets(this.#search.where!, subject));
  }
}
