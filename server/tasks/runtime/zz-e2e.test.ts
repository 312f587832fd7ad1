import { test } from "vitest";
import { createDure } from "../../dure.ts";
import { parseQuery } from "../core/query.ts";
test("q", async () => {
  const dure: any = createDure({ database: ":memory:" });
  const t = dure.defineTask("t", async () => {}, { attributes: { user: (p: any) => p.user } });
  await t.enqueueMany(Array.from({ length: 2000 }, (_, i) => ({ payload: { user: i % 100, note: "some fine words" } })));
  const show = async (o: any) => console.log(JSON.stringify(o), await dure.countTasks(o), (await dure.searchTasks({ ...o, limit: 10000 })).length);
  await show({ attributes: { user: 7 } });
  await show({ text: "fine" });
  await show({ attributes: { user: 7 }, text: "fine" });
  await show({ query: "user:7" });
  await show({ query: "fine" });
  await show({ query: "user:7 fine" });
  await dure.close();
}, 100000);
