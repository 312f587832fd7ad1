/** What may stand at a place of a query, out of what a store holds. */
import { expect, test } from "vitest";
import type { Instance } from "../../server/tasks/core/instance.ts";
import { completeQueryIn } from "../../server/tasks/core/query/query-sources.ts";
import { newDefinition, newTask } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("completeQuery", (world) => {
  async function offered(marked: string): Promise<string[]> {
    const { store, clock } = world;
    const instance = { clock, store: async () => store } as unknown as Instance;
    const text = marked.replace("|", "");
    const { items } = await completeQueryIn(instance, text, marked.indexOf("|"));
    return items.map((item) => item.text);
  }

  test("ids, types, queues, tags, attributes, workers and saved searches", async () => {
    const userIds = [42, 42, 7, "kim lee"];
    await world.enqueue(
      ...userIds.map((userId, at) =>
        newTask({
          id: `picture-${at}`,
          queue: at === 3 ? "slow" : "default",
          tags: at === 0 ? ["vip", "큰 손님"] : undefined,
          attributes: { userId },
        }),
      ),
    );
    ok(await world.store.saveDefinitions([{ ...newDefinition(), attributes: ["userId"] }]));
    ok(await world.store.saveSearch({ name: "stuck", query: "status:pending" }));
    expect(await offered("id:picture-|")).toEqual(["picture-3", "picture-2", "picture-1", "picture-0"]);
    expect(await offered("tag:vip id:picture-0,picture-1| x")).toEqual(["picture-1"]);
    expect(await offered("id:nobody|")).toEqual([]);
    expect(await offered("type:res|")).toEqual(["resize-image"]);
    expect(await offered("queue:sl|")).toEqual(["slow"]);
    expect(await offered("tag:|")).toEqual(["vip", '"큰 손님"']);
    expect(await offered("userId:|")).toEqual(["42", "7", '"kim lee"']);
    expect(await offered("attribute.userId:4|")).toEqual(["42"]);
    expect(await offered("worker:wo|")).toEqual(["worker-1"]);
    expect(await offered("worker:mach|")).toEqual(["worker-1"]);
    expect(await offered("@st|")).toEqual(["@stuck"]);
    expect(await offered("user|")).toEqual(["userId:"]);
    expect(await offered("constructor:|")).toEqual([]);
    expect(await offered('error:"half|')).toEqual([]);
  });

  test("places of the newest payloads and results, a tag of an older task, dates as such", async () => {
    const takenAt = Date.UTC(2026, 0, 1);
    const payload = { widthPx: 640, user: { id: 4, "full name": "Kim" }, items: [{ sku: "A1" }], "a.b": 1 };
    const day = (at: number) => world.clock.now() - 600_000 + at * 1_000;
    await world.enqueue(
      newTask({ id: "oldest", tags: ["rare"], createdAt: day(0), attributes: { takenAt, delta: -5 } }),
      ...Array.from({ length: 510 }, (_, at) => newTask({ tags: ["usual"], createdAt: day(at + 1) })),
      newTask({ id: "newest", payload }),
      newTask({ id: "other", type: "send-receipt", payload: { order: 17 } }),
    );
    ok(await world.store.saveDefinitions([{ ...newDefinition(), attributes: ["takenAt", "delta"] }]));
    expect(await offered("payload.wi|")).toEqual(["payload.widthPx:"]);
    expect(await offered("tag:a -payload.user|")).toEqual(["payload.user.id:", 'payload.user."full name":']);
    expect(await offered("payload.items|")).toEqual(["payload.items.sku:"]);
    expect(await offered("type:send-receipt payload.o|")).toEqual(["payload.order:"]);
    expect(await offered("type:send-receipt payload.w|")).toEqual([]);
    expect(await offered("result.|")).toEqual(["result."]);
    expect(await offered("tag:|")).toEqual(["usual"]);
    expect(await offered("tag:ra|")).toEqual(["rare"]);
    expect(await offered("takenAt:|")).toEqual(["2026-01-01T00:00:00.000Z"]);
    expect(await offered("delta:|")).toEqual(["-5"]);
  });
});
