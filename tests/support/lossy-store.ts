/** A store on a network that loses answers, and one past it, on a schema of their own for each test. */
import { afterEach, beforeEach } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import type { TestSchema } from "./postgres.ts";
import { takeTestSchema } from "./spare-schemas.ts";

export let schema: TestSchema;
export let proxy: CuttingProxy;
/** Through the network that fails, and past it. */
export let store: TaskStore;
export let direct: TaskStore;

/** For every test of the file that calls it. */
export function useLossyStore(): void {
  beforeEach(async () => {
    schema = await takeTestSchema();
    proxy = await CuttingProxy.start(schema.url);
    store = createPostgresStore({ url: proxy.url(schema.url) });
    direct = createPostgresStore({ url: schema.url });
    await direct.open();
    await store.open();
  });
  afterEach(async () => {
    await Promise.all([store.close(), direct.close()]);
    await proxy.close();
    await schema.drop();
  });
}
