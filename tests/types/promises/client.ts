/** What the client's calls take and answer. Compiled, never run. */
import {
  type CallAnswer,
  type CallName,
  type ClientTask,
  createClient,
  type DureClientError,
} from "dure/client";
import { type Equal, expectType } from "./expect.ts";

const client = createClient({ url: "http://127.0.0.1:3340", token: "secret" });
createClient({ url: new URL("https://shop.test/ops/dure"), fetch: globalThis.fetch });
// @ts-expect-error: a client needs to know where its server is
createClient({ token: "secret" });

const { task, attempts } = await client.call("GET /tasks/:id", { params: { id: "order-17" } });
expectType<Equal<typeof task, ClientTask>>();
expectType<Equal<ClientTask["createdAt"], Date>>();
expectType<Equal<ClientTask["completedAt"], Date | undefined>>();
expectType<Equal<ClientTask["status"], "PENDING" | "RUNNING" | "COMPLETED" | "FAILED" | "CANCELLED">>();
expectType<Equal<(typeof attempts)[number]["logs"][number]["at"], Date>>();
// @ts-expect-error: it is a Date
task.createdAt.slice(0, 10);
// @ts-expect-error: the task must be named
client.call("GET /tasks/:id");
// @ts-expect-error: by its id
client.call("GET /tasks/:id", { params: { name: "order-17" } });
// @ts-expect-error: there is no such route
client.call("GET /task/:id", { params: { id: "order-17" } });
// @ts-expect-error: reading takes no body
client.call("GET /tasks/:id", { params: { id: "order-17" }, body: {} });

await client.call("GET /workers");
await client.call("GET /tasks", {
  query: { status: ["FAILED"], from: new Date(), limit: 10, definitions: true },
});
// @ts-expect-error: no such filter
client.searchTasks({ statuses: ["FAILED"] });
// @ts-expect-error: no such order
client.searchTasks({ order: "random" });
const page = await client.searchTasks({ q: "status:failed created:>2h", sort: "updatedAt" });
expectType<Equal<typeof page.nextCursor, string | undefined>>();
expectType<Equal<typeof page.searchedBackTo, Date | undefined>>();
const [first] = page.tasks;
expectType<Equal<NonNullable<typeof first>["updatedAt"], Date>>();

const enqueued = await client.enqueueTask(
  "send-receipt",
  { order: 17 },
  { runAt: new Date(), tags: ["vip"] },
);
expectType<Equal<typeof enqueued, ClientTask>>();
await client.enqueueTasks([{ type: "send-receipt", payload: { order: 18 }, runAt: "2040-01-01T00:00:00Z" }]);
// @ts-expect-error: a task has a type
client.enqueueTasks([{ payload: {} }]);
// @ts-expect-error: no such setting
client.enqueueTask("send-receipt", {}, { prio: 5 });
await client.editTask("order-17", { priority: 5, dueAt: new Date() });
await client.editTask("order-17", { dueAt: null });
const { requested } = await client.cancelTask("order-17", { expectedVersion: 3 });
expectType<Equal<typeof requested, boolean>>();

const { count, sample } = await client.previewAction({ action: "retry", q: "status:failed" });
expectType<Equal<typeof count, number>>();
expectType<Equal<typeof sample, ClientTask[]>>();
await client.startAction({ action: "edit", edit: { dueAt: new Date() }, rate: 100 });
// @ts-expect-error: no such action
client.startAction({ action: "explode" });

const { groups } = await client.summarizeTasks({ by: ["hour", "status"] });
expectType<Equal<(typeof groups)[number]["hour"], Date | undefined>>();
const [worker] = await client.listWorkers();
expectType<Equal<NonNullable<typeof worker>["beatAt"], Date>>();
expectType<Equal<CallAnswer<"GET /stats">["sizeBytes"], number>>();
expectType<
  Equal<CallName extends `${"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} /${string}` ? true : false, true>
>();
for await (const { change, task: changed, cursor } of client.watchTasks({ q: "tag:vip", since: "…" })) {
  expectType<Equal<typeof change, "entered" | "changed" | "left">>();
  expectType<Equal<typeof changed, ClientTask>>();
  expectType<Equal<typeof cursor, string>>();
}
// @ts-expect-error: what changes comes as it comes
client.watchTasks({ sort: "id" });
await client.saveSearch("mine", { query: "status:failed" });
for await (const each of client.eachTask({ type: ["send-receipt"] })) each.id.toUpperCase();

declare const error: DureClientError;
expectType<Equal<typeof error.code, string>>();
expectType<Equal<typeof error.status, number>>();
