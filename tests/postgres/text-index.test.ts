/** Full text: what the index of a database can do, and what is said where it lacks one. */
import { expect, test } from "vitest";
import { foldText } from "../../server/tasks/core/filters/condition.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { readTextIndex } from "../../server/tasks/stores/postgres/texts/text-keys.ts";
import { queryPostgres } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";
import {
  allOf,
  anySearch,
  clock,
  schema,
  store,
  task,
  textsOf,
  unfiltered,
  useTextIndex,
} from "../support/text-index.ts";

useTextIndex();

async function candidatesOf(url: string, text: string): Promise<string[] | undefined> {
  const asked = new Database(parseLocation(url));
  await asked.open();
  try {
    return await asked.snapshot(async (session) => {
      const facts = await readTextIndex(session, parseLocation(url).schema);
      const search = { ...anySearch, where: { kind: "text", text: foldText(text) } as const };
      const source = await textsOf(session, search, facts, unfiltered);
      return source && allOf(session, source, 5);
    }, planningOnce);
  } finally {
    await asked.close();
  }
}

test("on a database that knows letters it finds Korean", async () => {
  const name = `dure_letters_${process.pid}`;
  const [{ version }] = await queryPostgres(
    "SELECT current_setting('server_version_num')::integer AS version",
  );
  // Until PostgreSQL 14 there is no other provider.
  const provider = version >= 150_000 ? "LOCALE_PROVIDER libc" : "";
  await queryPostgres(
    `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' ${provider}`,
  );
  const url = new URL(schema.url);
  url.pathname = `/${name}`;
  const letters = createPostgresStore({ url: url.href, clock });
  try {
    await letters.open();
    const hay = Array.from({ length: 3_000 }, (_, at) => task(`hay-${at}`, `결제 완료 ${at}`));
    ok(await letters.enqueueTasks([task("needle", "주문 처리 오류가발생")]));
    await clock.advance(1);
    ok(await letters.enqueueTasks(hay.map((one) => ({ ...one, createdAt: clock.now() }))));
    for (;;) {
      const found = await letters.readUnindexed({ limit: 1_000 });
      if (found.length === 0) break;
      const texts = found.map(({ ref, json }) => ({ ref, text: foldText(json.payload!) }));
      ok(await letters.writeTexts(texts));
    }
    expect(await candidatesOf(url.href, "오류가")).toEqual(["needle"]);
    // No three letters in a row.
    expect(await candidatesOf(url.href, "문 처리")).toEqual(["needle"]);
    const findings = await letters.checkHealth({ full: true });
    expect(findings.find(({ check }) => check === "texts")).toMatchObject({ level: "ok" });
  } finally {
    await letters.close();
    await queryPostgres(`DROP DATABASE ${name} WITH (FORCE)`);
  }
});

test("without it a search is told of none, and the doctor says what to do", async () => {
  await schema.query("DROP INDEX :schema.texts_lines_failed");
  expect(await candidatesOf(schema.url, "needle")).toBeUndefined();
  const findings = await store.checkHealth({ full: false });
  const finding = findings.find(({ check }) => check === "texts")!;
  expect(finding).toMatchObject({ level: "warning", next: expect.stringContaining("pg_trgm") });
  const makes = finding.next!.match(/CREATE INDEX [^;]*;/g)!;
  expect(makes).toHaveLength(5);
  await queryPostgres(makes.find((make) => make.includes("texts_lines_failed"))!);
  expect(await candidatesOf(schema.url, "needle")).toEqual([]);
});
