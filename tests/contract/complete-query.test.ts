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
});
