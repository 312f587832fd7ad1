/** The sources of candidates that a search may have, and the one that is best. */
import type { Condition } from "../../../core/filters/condition.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { isAttributeCondition } from "../attributes/attribute-conditions.ts";
import { askAttributes, attributeSource } from "../attributes/attribute-keys.ts";
import type { NamedAttribute } from "../attributes/attribute-names.ts";
import { allOver, type Database, type Session, type Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { KeptTexts } from "../texts/task-texts.ts";
import { type TextIndex, textIndexes } from "../texts/text-indexes.ts";
import { readTextIndex, textSource, wordsOf } from "../texts/text-keys.ts";
import { missesMany, readUnindexed, thoseThatMayHave, withUnindexed } from "../texts/text-unindexed.ts";
import type { Passing } from "../texts/text-ways.ts";
import { durationSource } from "./duration-source.ts";
import type { Asking, KeySource } from "./key-source.ts";
import { namedSource } from "./named-source.ts";
import { entriesIn, outline, outlined } from "./outline.ts";
import type { Pair } from "./search-statements.ts";
import { valueSource } from "./value-keys.ts";

/** What an index can do is asked again after this, in milliseconds: it may be made, and it grows. */
const indexAgeMsMax = 60_000;

const indexes = new WeakMap<Database, { readAt: number; index: TextIndex }>();

/**
 * The source with the fewest candidates; undefined where nothing finds them but walking.
 * @param names asks for all attributes there are
 */
export async function findKeySource(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
  names: (session: Session) => Promise<readonly NamedAttribute[]>,
  asking: Asking = {},
): Promise<KeySource | undefined> {
  if (!search.where) return undefined;
  const named = await namedSource(session, search);
  if (named) return named;
  const asked = mentions(search.where, isAttributeCondition)
    ? await askedOf(context, session, search, names, asking)
    : undefined;
  if (asked?.[0]?.isExact) return attributeSource(session, search, asked);
  const index = await textIndexOf(context, session);
  const byAttribute = asked && (await attributeSource(session, search, asked, index.tasks || undefined));
  // So few are read at once; nothing finds them sooner.
  if (byAttribute && byAttribute.estimate < search.limit) return byAttribute;
  let known: Promise<Passing> | undefined;
  const passing = () => {
    known ??= passingIn(session, search);
    return known;
  };
  const filtered = {
    passing: async () => (isFiltered(search) ? passing() : undefined),
    known: context.lanes.pairs.look(search).pairs,
  };
  const byDuration = await durationSource(session, search, async () => (await passing()).pairs);
  const byValue = await valueSource(session, search, index, filtered);
  const best = fewer(fewer(byAttribute, byDuration), byValue);
  if (!mentions(search.where, ({ kind }) => kind === "text")) return best;
  // The texts first: how long they take tells how many are read at once.
  const ask = (passes: Passing | undefined) =>
    allOver([
      textSource(session, search, index, passes, asking.along),
      readUnindexed(session, search, passes),
    ] as const);
  const [texts, unindexed] = await askPassing(context, session, search, known, ask);
  if (missesMany(unindexed, search)) return best;
  const may = thoseThatMayHave(wordsOf(search.where), unindexed, KeptTexts.of(context.database));
  return fewer(best, texts && withUnindexed(search, texts, may));
}

/** The indexes of the database that it reads. */
export function indexesOf({ index, name }: KeySource): readonly string[] {
  if (index === "id") return [name === "id" ? "tasks_pkey" : "tasks_idempotency"];
  if (index === "texts") return textIndexes;
  return [index === "slow" ? "tasks_duration" : "attributes_key"];
}

/**
 * Which attributes there are is asked together with what is asked of them, by what is known of them. While the index lacks tasks, it is
 * asked again with these.
 */
async function askedOf(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
  names: (session: Session) => Promise<readonly NamedAttribute[]>,
  asking: Asking,
): ReturnType<typeof askAttributes> {
  const { along } = asking;
  const { known } = context.attributes;
  const ask = (all: readonly NamedAttribute[]) => askAttributes(session, search, all, asking);
  if (!known) return ask(await names(session));
  // What is the page goes out with the entries of definitions among it, and with the end of the snapshot.
  const isPage = () => along?.isPage === true;
  const entries = () => (isPage() ? entriesIn(context, session, search) : undefined);
  const [all, asked, found] = await session.inOneGo(
    () => [names(session), ask(known), Promise.resolve(entries())],
    isPage,
  );
  if (along && found) along.entries = found;
  return areSame(all, known) ? asked : ask(all);
}

function areSame(some: readonly NamedAttribute[], others: readonly NamedAttribute[]): boolean {
  const isSame = ({ attribute, type, name, behind }: NamedAttribute, place: number) => {
    const other = others[place]!;
    return attribute === other.attribute && type === other.type && name === other.name && !behind;
  };
  return some.length === others.length && some.every(isSame);
}

function fewer(one: KeySource | undefined, other: KeySource | undefined): KeySource | undefined {
  if (!one || !other) return one ?? other;
  return other.estimate < one.estimate ? other : one;
}

async function passingIn(session: Session, search: StoreSearch): Promise<Passing> {
  return passingOf((await outline(session, { ...search, definitions: false })).pairs);
}

function isFiltered({ types, queues, statuses }: StoreSearch): boolean {
  return (types ?? queues ?? statuses) !== undefined;
}

function passingOf(pairs: readonly Pair[]): Passing {
  return { pairs, tasks: pairs.reduce((sum, { tasks }) => sum + tasks, 0) };
}

/** What depends on which tasks pass the plain filters is asked by what is known of these, together with the question which do. */
async function askPassing<Value>(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
  known: Promise<Passing> | undefined,
  ask: (passes: Passing | undefined) => Promise<Value>,
): Promise<Value> {
  if (isFiltered(search) && !known) {
    const plainly = { ...search, definitions: false };
    return (await outlined(context, session, plainly, (pairs) => ask(passingOf(pairs)))).value;
  }
  const passes = isFiltered(search) ? await known : undefined;
  const [value] = await session.inOneGo(() => [ask(passes)]);
  return value;
}

/** Whether some part of the condition is of this kind. */
function mentions(condition: Condition, is: (part: Condition) => boolean): boolean {
  if (condition.kind === "not") return mentions(condition.part, is);
  if (condition.kind === "and" || condition.kind === "or")
    return condition.parts.some((part) => mentions(part, is));
  return is(condition);
}

async function textIndexOf({ database }: Context, session: Session): Promise<TextIndex> {
  const known = indexes.get(database);
  const now = performance.now();
  if (known && now - known.readAt < indexAgeMsMax) return known.index;
  const index = await readTextIndex(session, database.location.schema);
  indexes.set(database, { readAt: now, index });
  return index;
}
