/** Full text behind a burst: the newest texts are all of other tasks. */
import { describe, expect, test } from "vitest";
import type { Place, StoreSearch } from "../../server/tasks/core/store.ts";
import { TaskStatus } from "../../server/tasks/core/task.ts";
import type { Session } from "../../server/tasks/stores/postgres/connections/database.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import type { KeySource } from "../../server/tasks/stores/postgres/search/key-source.ts";
import { KeptTexts } from "../../server/tasks/stores/postgres/texts/task-texts.ts";
import { stretchMs, type TextIndex } from "../../server/tasks/stores/postgres/texts/text-indexes.ts";
import { textSource } from "../../server/tasks/stores/postgres/texts/text-keys.ts";
import { readSample } from "../../server/tasks/stores/postgres/texts/text-sample.ts";
import { thoseThatMayHave } from "../../server/tasks/stores/postgres/texts/text-unindexed.ts";
import { walkTexts } from "../../server/tasks/stores/postgres/texts/text-ways.ts";
import {
  allOf,
  anySearch,
  clock,
  database,
  idsOf,
  indexed,
  recording,
  schema,
  textsOf,
  unfiltered,
  useTextIndex,
} from "../support/text-index.ts";

useTextIndex();

/** Of all times the word "needle" is rare. */
const rareSample = Array.from({ length: 500 }, (_, n) => ({
  ...{ status: 3, lanes: [1] },
  body: n > 0 ? "hay" : "needle",
}));

test("a burst of other tasks does not make a frequent word look rare", async () => {
  await writeBurst(2_500, 4_000);
  const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit: 5 };
  const asked: string[] = [];
  const ids = await idsOf(async (session) =>
    recording(asked, await textsOf(session, search, indexed(), unfiltered)),
  );
  expect(ids?.slice(0, 3)).toEqual(["x02499", "x02496", "x02493"]);
  expect([...new Set(asked)].sort()).toEqual(["spanOfTexts", "spreadTexts", "walkTexts"]);
});

test("a long burst of other tasks is passed over in a few looks", async () => {
  await writeBurst(3_000, 12_000);
  const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit: 5 };
  const asked: string[] = [];
  await database.snapshot(async (session) => {
    const found = await textsOf(session, search, indexed(), unfiltered);
    const source = recording(asked, found);
    const places = await firstOf(session, source, 5);
    expect(places.map(({ id }) => id).slice(0, 3)).toEqual(["x03000", "x02997", "x02994"]);
  }, planningOnce);
  expect(asked.length).toBeLessThanOrEqual(6);
});

test("behind a burst a word is asked of the index, though the shortest stretch has thousands of it", async () => {
  await schema.query(
    `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
      SELECT ${clock.now()} + n, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
        CASE WHEN n <= 20000 AND n % 10 = 0 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 60000) AS n`,
  );
  const facts = { ...indexed(), firstAt: clock.now() - 200 * stretchMs, lastAt: clock.now() + 60_000 };
  const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit: 5 };
  const asked: string[] = [];
  await database.snapshot(async (session) => {
    const source = recording(asked, await textsOf(session, search, facts, unfiltered));
    const places = await firstOf(session, source, 5);
    expect(places.map(({ id }) => id)).toEqual(["x20000", "x19990", "x19980", "x19970", "x19960"]);
  }, planningOnce);
  // So many texts in order are read first as an answer of the index takes.
  expect(asked.filter((name) => name === "walkTexts").length).toBeLessThanOrEqual(4);
  expect(asked.at(-1)).toBe("findTexts");
});

test("behind a burst a word that nearly every text has is walked to, once the index gave too many", async () => {
  await schema.query(
    `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
      SELECT ${clock.now()} + n, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
        CASE WHEN n BETWEEN 5000 AND 20000 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 28000) AS n`,
  );
  const facts = {
    ...{ ...indexed(), sample: rareSample },
    firstAt: clock.now() - 200 * stretchMs,
    lastAt: clock.now() + 60_000,
  };
  const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit: 3 };
  const asked: string[] = [];
  await database.snapshot(async (session) => {
    const source = recording(asked, await textsOf(session, search, facts, unfiltered));
    const places = await firstOf(session, source, 3);
    expect(places.map(({ id }) => id)).toEqual(["x20000", "x19999", "x19998"]);
  }, planningOnce);
  expect(asked.filter((name) => name === "findTexts")).toHaveLength(1);
});

test.each([
  ["newest", true, "textBefore"],
  ["oldest", false, "textFrom"],
])("a time without texts behind a burst is passed over, the %s first", async (_order, descending, passed) => {
  // A burst, then nothing for a hundred stretches, then a text an hour, the first of which has the word.
  const sign = descending ? -1 : 1;
  const at = (n: string) =>
    `${clock.now()} + ${sign} * CASE WHEN ${n} <= 1100 THEN ${n} ELSE ${100 * stretchMs} + ${n} * 3600000::bigint END`;
  await schema.query(
    `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
      SELECT ${at("n")}, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1], CASE WHEN n > 1100 AND n % 10 = 1 THEN 'needle' ELSE 'hay' END
      FROM generate_series(1, 1500) AS n`,
  );
  const facts = { ...indexed(), sample: rareSample, texts: 12_000_000 };
  const search: StoreSearch = {
    ...{ ...anySearch, descending, limit: 1 },
    where: { kind: "text", text: "needle" },
  };
  const asked: string[] = [];
  await database.snapshot(async (session) => {
    const source = recording(asked, await textsOf(session, search, facts, unfiltered));
    const places = await firstOf(session, source, 1);
    expect(places.map(({ id }) => id)).toEqual(["x01101"]);
  }, planningOnce);
  expect(asked).toEqual(["spanOfTexts", "findTexts", passed, "findTexts"]);
});

test.each([true, false])(
  "up to where very many have a word it is one step, not many small ones (the latest first: %s)",
  async (descending) => {
    // A text an hour without the word for 1,600 stretches, then 3,000 with it in one.
    const sign = descending ? -1 : 1;
    const at = `${clock.now()} + ${sign} * CASE WHEN n <= 6400 THEN n * 3600000::bigint ELSE ${1_601 * stretchMs} + n END`;
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
      SELECT ${at}, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1], CASE WHEN n > 6400 THEN 'needle' ELSE 'hay' END
      FROM generate_series(1, 9400) AS n`,
    );
    const facts = { ...indexed(), sample: rareSample, texts: 12_000_000 };
    const search: StoreSearch = {
      ...anySearch,
      descending,
      limit: 1,
      where: { kind: "text", text: "needle" },
    };
    const asked: string[] = [];
    await database.snapshot(async (session) => {
      const source = recording(asked, await textsOf(session, search, facts, unfiltered));
      expect((await firstOf(session, source, 1)).map(({ id }) => id)).toEqual(["x06401"]);
    }, planningOnce);
    // So often the index gave too many: of a long time, and of the stretch that has them.
    const tooMany = asked.filter((name, place) => name === "findTexts" && asked[place + 1] === "findTexts");
    expect(tooMany.length).toBeLessThanOrEqual(2);
  },
);

describe("the newest stretch of time has nothing of a word that is frequent behind it", () => {
  const frontAt = () => Math.ceil(clock.now() / stretchMs) * stretchMs + 10 * stretchMs;
  const limit = 5;

  /** 4,000 texts, and 3,000 of other tasks in a later stretch, of which one has the word, where nobody looks. */
  async function writeFront(every: number, rest = 0): Promise<void> {
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${frontAt()} + CASE WHEN n <= 4000 THEN (n - 4001) * 1000 ELSE n END, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE WHEN n = 6990 OR n <= 4000 AND n % ${every} = ${rest} THEN 'needle' ELSE 'hay' END FROM generate_series(1, 7000) AS n`,
    );
  }

  /** What is known of texts, once some of them have been looked at. */
  async function lookedAt(texts: number): Promise<TextIndex> {
    const facts = {
      ...{ ...indexed(), texts, tasks: texts },
      ...{ firstAt: frontAt() - 200 * stretchMs, lastAt: frontAt() + 7_000 },
    };
    return { ...facts, ...(await database.snapshot((session) => readSample(session), planningOnce)) };
  }

  async function firstAsked(facts: TextIndex): Promise<{ ids: string[]; asked: string[]; further: number }> {
    const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit };
    const asked: string[] = [];
    return database.snapshot(async (session) => {
      const recorded: Session["query"] = (statement, ...rest) => {
        asked.push(statement.name);
        return session.query(statement, ...rest);
      };
      const [source] = await session.inOneGo(() => [
        textSource({ ...session, query: recorded }, search, facts, unfiltered),
      ]);
      const inOneGo = asked.length;
      const ids = (await firstOf({ query: recorded }, source!, limit)).map(({ id }) => id);
      return { ids, asked, further: asked.length - inOneGo };
    }, planningOnce);
  }

  test.each([
    ["narrow", 1_000_000, ["spanOfTexts", "findTexts", "walkTexts"]],
    ["in very many", 100_000_000, ["walkTexts"]],
  ])("it is passed over in one go, where its trigrams are %s", async (_what, texts, statements) => {
    await writeFront(10);
    const { ids, asked } = await firstAsked(await lookedAt(texts));
    expect(ids).toEqual(["x06990", "x04000", "x03990", "x03980", "x03970"]);
    expect(asked).toEqual(statements);
  });

  test("nothing is walked through where the word is not frequent behind it either", async () => {
    await writeFront(400);
    const { ids, asked, further } = await firstAsked(await lookedAt(1_000_000));
    expect(ids).toEqual(["x06990", "x04000", "x03600", "x03200", "x02800"]);
    expect(asked).toEqual(["spanOfTexts", "findTexts"]);
    expect(further).toBe(0);
  });

  test("the tasks that pass the filters are read, where that is the least, though of their type few have the trigrams", async () => {
    await writeFront(1);
    await schema.query(
      `UPDATE :schema.texts SET lanes = ARRAY[2] WHERE body = 'needle' AND right(task_id, 5)::integer % 20 = 5`,
    );
    const facts = await lookedAt(5_000_000);
    const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, types: ["a"] };
    const pairs = [{ lane: 2, ownIds: false, status: 3, tasks: 100 }];
    const asked: string[] = [];
    await database.snapshot(async (session) => {
      const recorded: Session["query"] = (statement, ...rest) => {
        asked.push(statement.name);
        return session.query(statement, ...rest);
      };
      const own = { ...session, query: recorded };
      const passing = { pairs, tasks: 250_000 };
      const [source] = await session.inOneGo(() => [textSource(own, search, facts, passing)]);
      await source!.keys(own, undefined, 50);
    }, planningOnce);
    expect(asked[0]).toBe("spanOfTexts");
    expect(asked).toContain("walkTasks");
    expect(asked).not.toContain("findTexts");
  });

  test.each([
    ["in a later stretch", 3 * stretchMs],
    ["in one before all that were known", -300 * stretchMs],
  ])("what came since is found where it is not frequent, %s", async (_what, laterMs) => {
    // Met among the texts of all times alone.
    await writeFront(800, 20);
    const facts = await lookedAt(20_000_000);
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        VALUES (${frontAt() + laterMs}, 0, 'y', 3, ARRAY[1], 'needle')`,
    );
    const ids = await database.snapshot(async (session) => {
      const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" } };
      return allOf(session, (await textsOf(session, search, facts, unfiltered))!, limit);
    }, planningOnce);
    const others = ["x06990", "x03220", "x02420", "x01620", "x00820", "x00020"];
    expect(ids).toEqual(laterMs > 0 ? ["y", ...others] : [...others, "y"]);
  });

  test.each([
    ["in a later stretch", 3 * stretchMs, 1],
    ["of which many have the word", 7_001, 1_100],
  ])("what came since is found, %s", async (_what, laterMs, count) => {
    await writeFront(10);
    const facts = await lookedAt(1_000_000);
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${frontAt() + laterMs} + n, 0, 'y' || lpad(n::text, 5, '0'), 3, ARRAY[1], 'needle' FROM generate_series(1, ${count}) AS n`,
    );
    const { ids } = await firstAsked(facts);
    expect(ids[0]).toBe(`y${String(count).padStart(5, "0")}`);
    expect(ids[1]).toBe(count > 1 ? `y${String(count - 1).padStart(5, "0")}` : "x06990");
  });
});

test("no more texts are read of a chunk than have what is wanted", async () => {
  await writeBurst(3_000, 3_000);
  const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit: 5 };
  for (const descending of [true, false]) {
    await database.snapshot(async (session) => {
      const chunk = { chunk: 900, most: 6 };
      const asked = { statuses: undefined, lanes: undefined };
      const row = { filter: undefined, maybe: undefined };
      const inOrder = { ...search, descending };
      const first = await walkTexts(session, inOrder, ["needle"], undefined, chunk, {
        asked,
        row,
      });
      const ids = descending ? ["x03000", "x02985"] : ["x00003", "x00018"];
      expect([first.found[0]!.id, first.found.at(-1)!.id]).toEqual(ids);
      expect(first).toMatchObject({ met: 6, looked: descending ? 16 : 18, next: first.found.at(-1) });
      const rest = { chunk: 2_500, most: 2_000 };
      const { found, looked, met, next } = await walkTexts(session, inOrder, ["needle"], first.next, rest, {
        asked,
        row,
      });
      const last = descending ? "x00485" : "x02518";
      expect({ found: found.length, looked, met, next: next?.id }).toEqual({
        ...{ found: 833, looked: 2_500, met: 833, next: last },
      });
    }, planningOnce);
  }
});

test("of a task that waits to be indexed the text is made once, and only one that has the words is looked at", () => {
  const kept = new KeptTexts();
  kept.keep({ id: "a", version: 2, status: TaskStatus.COMPLETED }, "a needle");
  kept.keep({ id: "b", version: 1, status: TaskStatus.PENDING }, "hay");
  kept.keep({ id: "c", version: 1, status: TaskStatus.RUNNING }, "hay");
  const places = [
    { value: 1, id: "a", version: 2 },
    { value: 2, id: "b", version: 1 },
    { value: 3, id: "b", version: 2 },
    { value: 4, id: "c", version: 1 },
    { value: 5, id: "b", version: null },
  ];
  const { places: left } = thoseThatMayHave(["needle"], { places, left: 0, tasks: 5 }, kept);
  // Another version of it, or one that runs, may have another text.
  expect(left.map(({ value }) => value)).toEqual([1, 3, 4, 5]);
});

test("texts that were made are kept within a bound of their characters", () => {
  const kept = new KeptTexts();
  const long = "x".repeat(1_000_000);
  for (const id of ["a", "b", "c"]) kept.keep({ id, version: 1, status: TaskStatus.COMPLETED }, long);
  expect(["a", "b", "c"].map((id) => kept.get(id, 1) !== undefined)).toEqual([false, true, true]);
});

/** A third of so many texts has the word "needle", and all that come after them, up to `count`, are of other tasks. */
async function writeBurst(textsBefore: number, count: number): Promise<void> {
  await schema.query(
    `INSERT INTO :schema.texts (created_at, version, task_id, body)
    SELECT ${clock.now()} + n * 1000, 0, 'x' || lpad(n::text, 5, '0'),
      CASE WHEN n > ${textsBefore} THEN 'other' WHEN n % 3 = 0 THEN 'needle' ELSE 'hay' END
    FROM generate_series(1, ${count}) AS n`,
  );
}

async function firstOf(session: Session, source: KeySource, limit: number): Promise<readonly Place[]> {
  let { places, next } = await source.keys(session, undefined, limit);
  while (places.length === 0) ({ places, next } = await source.keys(session, next, limit));
  return places;
}
