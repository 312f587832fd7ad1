import { expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("the app that a database belongs to", (world) => {
  test("is the first that was named, until it is renamed", async () => {
    expect(await world.store.readApp()).toBeUndefined();
    expect(ok(await world.store.nameApp("shop", { rename: false }))).toBe("shop");
    expect(ok(await world.store.nameApp("blog", { rename: false }))).toBe("shop");
    expect(await world.store.readApp()).toBe("shop");
    expect(ok(await world.store.nameApp("blog", { rename: true }))).toBe("blog");
  });

  // A database in memory is one program's alone.
  test.runIf(world.shared)("is asked for by programs that name one, and by no others (F43)", async () => {
    const open = async (app?: string) =>
      createDure({ store: await world.connect(), ...(app !== undefined && { app }) });
    const shop = await open("shop");
    expect(await shop.countTasks()).toBe(0);
    const calls: ((blog: Dure) => Promise<unknown>)[] = [
      (blog) => blog.countTasks(),
      (blog) => blog.start(),
      (blog) => blog.enqueueTask("resize-image", {}),
    ];
    for (const call of calls) {
      await expect(call(await open("blog"))).rejects.toMatchObject({
        code: "DATABASE_OF_OTHER_APP",
        details: { found: "shop", app: "blog" },
        message: expect.stringContaining("dure migrate --app blog"),
      });
    }
    for (const app of [undefined, "shop"]) expect(await (await open(app)).countTasks()).toBe(0);
  });
});
