/** Full text: which tasks the index gives for what is searched, in which order, and what it can do. */
import { describe, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { foldText } from "../../server/tasks/core/filters/condition.ts";
import type { Place, StoreSearch } from "../../server/tasks/core/store.ts";
import {
  askAttributes,
  attributeSource,
} from "../../server/tasks/stores/postgres/attributes/attribute-keys.ts";
import { AttributeNames } from "../../server/tasks/stores/postgres/attributes/attribute-names.ts";
import type { Session } from "../../server/tasks/stores/postgres/connections/database.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import type { KeySource } from "../../server/tasks/stores/postgres/search/key-source.ts";
import { outline } from "../../server/tasks/stores/postgres/search/outline.ts";
import { stretchMs, type TextIndex } from "../../server/tasks/stores/postgres/texts/text-indexes.ts";
import { orderedSource, readTextIndex } from "../../server/tasks/stores/postgres/texts/text-keys.ts";
import type { Word } from "../../server/tasks/stores/postgres/texts/text-rarity.ts";
import { newTasks, settlementOf } from "../support/builders.ts";
import { ok } from "../support/stores.ts";
import {
  allOf,
  anySearch,
  claim,
  clock,
  database,
  idsOf,
  index,
  indexed,
  recording,
  schema,
  store,
  task,
  textsOf,
  unfiltered,
  useTextIndex,
} from "../support/text-index.ts";

useTextIndex();

describe("candidates", () => {
  /** A source keeps there what it has read. */
  async function fill(): Promise<void> {
    for (let at = 0; at < 40; at += 1) {
      const words = ["Error: ETIMEDOUT 10%", "한국어 오류 메시지", at % 2 === 0 ? "even_number" : "odd"];
      ok(
        await store.enqueueTasks([
          task(`t${String(at).padStart(2, "0")}`, { words: at % 4 === 3 ? words : words[2] }),
        ]),
      );
      await clock.advance(1);
    }
    await index();
  }

  test.each([
    ["ETIMEDOUT", 10],
    ["오류 메시지", 10],
    ["10%", 10],
    ["1_%", 0],
    ["even_number", 20],
    ["nothing of this", 0],
  ])("the texts with %s, newest first", async (text, count) => {
    await fill();
    const where: Condition = { kind: "text", text: foldText(text) };
    const search = { ...anySearch, where };
    const ids = await idsOf((session) => textsOf(session, search, indexed(), unfiltered));
    const rows = await schema.query(
      "SELECT task_id FROM :schema.texts WHERE position($1 in body) > 0 ORDER BY 1 DESC",
      [foldText(text)],
    );
    expect(rows).toHaveLength(count);
    expect(ids).toEqual(rows.map((row) => row.task_id));
  });

  test.each<[string, TextIndex, number]>([
    ["texts one after another", { ...indexed(), exists: false, texts: 1e4, tasks: 1e4 }, 9_000],
    ["tasks that pass, each with its text", { ...indexed(), texts: 1e7, tasks: 1e7 }, 100],
    ["the index", { ...indexed(), texts: 1_001, tasks: 1e7 }, 1e6],
  ])("by %s, with filters, in both orders, page by page", async (_way, facts, passing) => {
    const types = ["resize-image", "send-mail"];
    const tasks = newTasks(2_400, { createdAt: clock.now() }).map((one, at) => {
      return {
        ...one,
        type: types[at % 5 === 0 ? 1 : 0]!,
        payload: { json: `{"word":"${at % 3 ? "hay" : "needle"}"}` },
      };
    });
    ok(await store.enqueueTasks(tasks));
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, body)
        SELECT created_at, version, id, payload FROM :schema.tasks`,
    );
    const where: Condition = { kind: "text", text: "needle" };
    for (const descending of [true, false]) {
      const search: StoreSearch = { ...anySearch, where, types: ["send-mail"], descending };
      const wanted = tasks
        .filter((_, at) => at % 15 === 0)
        .map(({ id }) => id)
        .sort();
      const found = await database.snapshot(async (session) => {
        const { pairs } = await outline(session, { ...search, definitions: false });
        const source = await textsOf(session, search, facts, { pairs, tasks: passing });
        return allOf(session, source!, 70);
      }, planningOnce);
      expect(found).toEqual(descending ? wanted.toReversed() : wanted);
    }
  });

  test("a word that is frequent where nobody looked is found by the index, in shorter stretches", async () => {
    const every = stretchMs / 200;
    // Between the places that are looked at of all times.
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n::bigint * ${every}, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE WHEN n < 9000 AND n % 600 BETWEEN 40 AND 590 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 12000) AS n`,
    );
    const facts = {
      ...{ ...indexed(), texts: 12_000_000, tasks: 12_000_000 },
      ...{ firstAt: clock.now(), lastAt: clock.now() + 12_000 * every },
    };
    const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit: 5 };
    const asked: string[] = [];
    await database.snapshot(async (session) => {
      const source = recording(asked, await textsOf(session, search, facts, unfiltered));
      let { places, next } = await source.keys(session, undefined, 5);
      while (places.length === 0) ({ places, next } = await source.keys(session, next, 5));
      expect(places.map(({ id }) => id).slice(0, 3)).toEqual(["x08990", "x08989", "x08988"]);
    }, planningOnce);
    expect([...new Set(asked)].sort()).toEqual(["findTexts", "spanOfTexts", "spreadTexts", "textBefore"]);
  });

  test("words that were met nowhere, nor their trigrams, are asked for at once, and texts of all times are looked at once", async () => {
    const facts = {
      ...indexed(),
      texts: 12_000_000,
      firstAt: clock.now(),
      lastAt: clock.now() + 12_000 * 1_800_000,
    };
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n::bigint * 1800000, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE n WHEN 3333 THEN 'needle' WHEN 5555 THEN 'pin' ELSE 'hay' END FROM generate_series(1, 12000) AS n`,
    );
    const asked: string[] = [];
    for (const [text, id] of [
      ["needle", "x03333"],
      ["nothing of this", undefined],
    ] as const) {
      const search: StoreSearch = { ...anySearch, where: { kind: "text", text } };
      const ids = await idsOf(async (session) =>
        recording(asked, await textsOf(session, search, facts, unfiltered)),
      );
      expect(ids).toEqual(id ? [id] : []);
    }
    // Once these are known, the index is asked, and when texts begin and end, before anything is asked for, which is not recorded.
    expect(asked).toEqual(["spreadTexts", "spanOfTexts", "findTexts"]);
    // That few of those that were looked at are of what is asked for says nothing of the words.
    const failed: StoreSearch = { ...anySearch, where: { kind: "text", text: "hay" }, statuses: ["FAILED"] };
    const looks: string[] = [];
    const passing = { pairs: [], tasks: 5 };
    await idsOf(async (session) => recording(looks, await textsOf(session, failed, facts, passing)));
    expect(looks).not.toContain("findTexts");
    // What came since is found, though the texts that were looked at are older.
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + (12000 + n::bigint) * 1800000, 0, 'y' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE n WHEN 1200 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 3000) AS n`,
    );
    for (const descending of [true, false]) {
      const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, descending };
      const ids = await idsOf((session) => textsOf(session, search, facts, unfiltered));
      expect(ids).toEqual(descending ? ["y01200", "x03333"] : ["x03333", "y01200"]);
    }
  });

  test("words that nothing has are thought to be as rare among a type's texts, which are asked for at once", async () => {
    const every = 1_800_000;
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n::bigint * ${every}, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE n WHEN 700 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 6000) AS n`,
    );
    // All trigrams of the word, each in more than a fiftieth, and of another type.
    const parts = ["nee edl", "nee eed", "edl dle", "eed dle"];
    const facts = {
      ...indexed(),
      ...{ texts: 12_000_000, tasks: 12_000_000 },
      ...{ firstAt: clock.now(), lastAt: clock.now() + 6_000 * every },
      sample: Array.from({ length: 500 }, (_, n) => ({
        ...{ status: 3, lanes: [n % 50 === 0 ? 1 : 2] },
        body: `\n${n % 50 > 0 && n < 28 ? parts[n % 4] : "hay"}\n`,
      })),
    };
    const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, types: ["a"] };
    const pairs = [{ lane: 1, ownIds: false, status: 3, tasks: 240_000 }];
    for (const [tasks, asks] of [
      [240_000, 1],
      [12_000_000, 2],
    ] as const) {
      const asked: string[] = [];
      await database.snapshot(async (session) => {
        const source = recording(asked, await textsOf(session, search, facts, { pairs, tasks }));
        await placesOf(source, session, 50);
      });
      expect(Math.min(2, asked.filter((name) => name === "findTexts").length)).toBe(asks);
    }
  });

  test("as many texts are read at first as are likely to have a page, by texts of all times", async () => {
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE WHEN n % 25 = 0 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 3000) AS n`,
    );
    const sample = Array.from({ length: 500 }, (_, n) => ({
      ...{ status: 3, lanes: [1] },
      body: n % 25 === 0 ? "\nneedle\n" : "\nhay\n",
    }));
    const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "needle" }, limit: 50 };
    for (const [facts, further] of [
      [indexed(), ["walkTexts"]],
      [{ ...indexed(), sample }, []],
    ] as const) {
      const asked: string[] = [];
      await database.snapshot(async (session) => {
        const source = recording(asked, await textsOf(session, search, facts, unfiltered));
        const places = await placesOf(source, session, 50);
        expect(places).toHaveLength(50);
      });
      expect(asked).toEqual(further);
    }
  });

  test("where many texts have the rarest trigrams of a word, they are read a portion at a time", async () => {
    const every = stretchMs / 200;
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n::bigint * ${every}, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE WHEN n = 3333 THEN 'aaaaaaa' WHEN n % 10 = 5 THEN 'aaa' ELSE 'hay' END FROM generate_series(1, 12000) AS n`,
    );
    const facts = {
      ...{ ...indexed(), texts: 1_000_000, tasks: 1_000_000 },
      ...{ firstAt: clock.now(), lastAt: clock.now() + 12_000 * every },
    };
    const search: StoreSearch = { ...anySearch, where: { kind: "text", text: "aaaaaaa" } };
    const asked: string[] = [];
    const ids = await idsOf(async (session) =>
      recording(asked, await textsOf(session, search, facts, unfiltered)),
    );
    expect(ids).toEqual(["x03333"]);
    expect(asked.filter((name) => name === "findTexts").length).toBeGreaterThan(5);
  });

  test.each<[string, Word, string]>([
    ["a phrase of frequent words", "order 99", "order 4\\n99"],
    ["a short number that is a part of many", { line: "420" }, "4201\\n1427"],
    ["a number of one digit", { line: "7" }, "17\\n70"],
  ])("%s is asked of the index as a whole, not where its parts are", async (_what, word, other) => {
    const every = stretchMs / 200;
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n::bigint * ${every}, 0, 'x' || lpad(n::text, 5, '0'), 3, ARRAY[1],
          CASE WHEN n = 3333 THEN '${typeof word === "string" ? word : word.line}' WHEN n % 10 = 5 THEN E'${other}' ELSE 'order 5' END
        FROM generate_series(1, 12000) AS n`,
    );
    const facts = {
      ...{ ...indexed(), texts: 1_000_000, tasks: 1_000_000 },
      ...{ firstAt: clock.now(), lastAt: clock.now() + 12_000 * every },
    };
    const asked: string[] = [];
    const ids = await idsOf(async (session) => {
      const [source] = await session.inOneGo(() => [
        orderedSource(session, anySearch, [word], facts, unfiltered, { isLikely: false }),
      ]);
      return recording(asked, source);
    });
    expect(ids).toEqual(["x03333"]);
    expect(asked).toEqual(["spreadTexts", "spanOfTexts", "findTexts"]);
  });

  test.each([
    ["newest first", true],
    ["oldest first", false],
  ])("by the index, one stretch of time after another, %s", async (_order, descending) => {
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n::bigint * 1800000, 0, 'x' || lpad(n::text, 5, '0'), n % 5, ARRAY[n % 7],
          CASE WHEN n BETWEEN 3001 AND 6000 AND n % 100 = 0 THEN 'a b1 needle' ELSE 'hay' END FROM generate_series(1, 9000) AS n`,
    );
    const facts = { ...indexed(), firstAt: clock.now(), lastAt: clock.now() + 9000 * 1_800_000 };
    // The two first letters of a word are a trigram with what is before them.
    for (const text of ["needle", " b1"]) {
      const search: StoreSearch = { ...anySearch, where: { kind: "text", text }, limit: 3, descending };
      const asked: string[] = [];
      const ids = await idsOf(async (session) =>
        recording(asked, await textsOf(session, search, facts, unfiltered)),
      );
      const wanted = Array.from({ length: 30 }, (_, at) => `x0${3100 + at * 100}`);
      expect(ids).toEqual(descending ? wanted.toReversed() : wanted);
      expect(asked.filter((name) => name === "findTexts").length).toBeGreaterThan(3);
      expect(asked).not.toContain("walkTexts");
    }
  });

  test("words that are frequent, but not among what passes the filters, are asked of the index of that", async () => {
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, status, lanes, body)
        SELECT ${clock.now()} + n::bigint * 1800000, 0, 'x' || lpad(n::text, 5, '0'), CASE n % 3 WHEN 0 THEN 4 ELSE 3 END, ARRAY[1],
          CASE n % 3 WHEN 0 THEN 'needle' ELSE 'hay' END FROM generate_series(1, 9000) AS n`,
    );
    const facts = { ...indexed(), firstAt: clock.now(), lastAt: clock.now() + 9_000 * 1_800_000 };
    const search: StoreSearch = {
      ...{ ...anySearch, where: { kind: "text", text: "needle" }, limit: 5 },
      statuses: ["COMPLETED"],
    };
    const pairs = [{ lane: 1, ownIds: false, status: 3, tasks: 600_000 }];
    const asked: string[] = [];
    const ids = await idsOf(async (session) =>
      recording(asked, await textsOf(session, search, facts, { pairs, tasks: 600_000 })),
    );
    expect(ids).toEqual([]);
    // The first thousand tell.
    expect(asked).not.toContain("walkTexts");
    expect(asked).toContain("findTexts");
  });

  test("a word that the index has more often than it seemed is walked for", async () => {
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, body)
        SELECT ${clock.now()} + n / 6000, 0, 'x' || lpad(n::text, 5, '0'), CASE WHEN n <= 6000 THEN 'needle' ELSE 'hay' END
        FROM generate_series(1, 60000) AS n`,
    );
    const where: Condition = { kind: "text", text: "needle" };
    const ids = await idsOf(
      (session) => textsOf(session, { ...anySearch, where }, { ...indexed(), texts: 1_000 }, unfiltered),
      100,
    );
    expect(ids).toHaveLength(6_000);
    expect(ids?.slice(0, 2)).toEqual(["x06000", "x05999"]);
  });

  test("by the index of trigrams too, beyond the newest", async () => {
    ok(await store.enqueueTasks([task("needle", { word: "needle" })]));
    await clock.advance(1);
    await index();
    await schema.query(
      `INSERT INTO :schema.texts (created_at, version, task_id, body)
        SELECT ${clock.now()} + n, 0, 'x' || n, 'hay stack ' || n FROM generate_series(1, 3000) AS n`,
    );
    const where: Condition = { kind: "text", text: "needle" };
    expect(
      await idsOf((session) => textsOf(session, { ...anySearch, where }, indexed(), unfiltered)),
    ).toEqual(["needle"]);
    const byId: StoreSearch = { ...anySearch, where, sortBy: "id" };
    expect(await idsOf((session) => textsOf(session, byId, indexed(), unfiltered))).toEqual(["needle"]);
    const facts = await readTextIndex(database, schema.name);
    expect(facts.exists).toBe(true);
  });

  test("attributes: equality in order of creation, ranges and prefixes gathered", async () => {
    for (let at = 0; at < 20; at += 1) {
      const attributes = { userId: `u${at % 4}`, size: at, tags: at % 2 ? ["a", "b"] : ["b"] };
      ok(await store.enqueueTasks([{ ...task(`t${String(at).padStart(2, "0")}`), attributes }]));
      await clock.advance(1);
    }
    const claimed = await claim(6);
    ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
    const names = await new AttributeNames(database).all();
    const ask = (where: Condition, more: Partial<StoreSearch> = {}) => {
      const search = { ...anySearch, ...more, where };
      return idsOf(async (session) =>
        attributeSource(session, search, await askAttributes(database, search, names)),
      );
    };
    const field = (name: string) => ({ of: "attribute", name }) as const;
    const ids = (fits: (at: number) => boolean) =>
      Array.from({ length: 20 }, (_, at) => at)
        .filter(fits)
        .map((at) => `t${String(at).padStart(2, "0")}`);
    const user: Condition = { kind: "equals", field: field("userId"), values: ["u1", "u2"] };
    expect(await ask(user)).toEqual(ids((at) => at % 4 === 1 || at % 4 === 2).reverse());
    expect(await ask(user, { descending: false })).toEqual(ids((at) => at % 4 === 1 || at % 4 === 2));
    expect(await ask(user, { statuses: ["COMPLETED"] })).toEqual(
      ids((at) => at < 6 && (at % 4 === 1 || at % 4 === 2)).reverse(),
    );
    expect(await ask({ kind: "equals", field: field("tags"), values: ["a", "b"] })).toEqual(
      ids(() => true).reverse(),
    );
    expect(await ask(user, { sortBy: "priority" })).toEqual(ids((at) => at % 4 === 1 || at % 4 === 2));
    const from = { value: 5, isIncluded: true };
    const to = { value: 9, isIncluded: false };
    expect(await ask({ kind: "range", field: field("size"), from, to })).toEqual(
      ids((at) => at >= 5 && at < 9),
    );
    expect(await ask({ kind: "prefix", field: field("userId"), prefix: "u" })).toEqual(ids(() => true));
    expect(await ask({ kind: "and", parts: [{ kind: "exists", field: field("size") }, user] })).toEqual(
      ids((at) => at % 4 === 1 || at % 4 === 2).reverse(),
    );
    const many = Array.from({ length: 40 }, (_, at) => `u${at}`);
    expect(await ask({ kind: "equals", field: field("userId"), values: many })).toEqual(
      ids(() => true).reverse(),
    );
    expect(
      await ask({ kind: "equals", field: field("tags"), values: ["a", "b", ...many] }, { descending: false }),
    ).toEqual(ids(() => true));
    expect(await ask({ kind: "not", part: user })).toBeUndefined();
    expect(await ask({ kind: "equals", field: field("userId"), values: ["u1", null] })).toBeUndefined();
    expect(await ask({ kind: "equals", field: field("unknown"), values: ["u1"] })).toEqual([]);
  });
});

/** As many as are wanted. A source gives fewer at once where reading on takes long, as on a busy machine. */
async function placesOf(source: KeySource, session: Session, wanted: number): Promise<Place[]> {
  const found: Place[] = [];
  let after: Place | undefined;
  do {
    const { places, next } = await source.keys(session, after, wanted - found.length);
    found.push(...places);
    after = next;
  } while (after && found.length < wanted);
  return found;
}
