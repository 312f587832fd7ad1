/** What a definition's search knows of its payload and result. Compiled, never run. */
import { defineTask, searchTasks, type Task, type TaskDefinition, type TaskPage, watchTasks } from "dure";
import type { AttributeSources } from "dure/types";
import { z } from "zod";
import { type Equal, expectType } from "./expect.ts";

interface Picture {
  url: string;
  widthPx: number;
  user?: { id: number; tags: string[] };
  takenAt: Date | null;
}

const resizeImage = defineTask("resize-image", async (_task: Task<Picture>) => ({ sizeBytes: 12 }));

const found = await resizeImage.search({ payload: { widthPx: { gte: 640 } } });
expectType<Equal<(typeof found)[number]["payload"], Picture>>();
expectType<Equal<(typeof found)[number]["result"], { sizeBytes: number } | undefined>>();

const page = await resizeImage.searchPage({
  payload: { widthPx: { gte: 640 } },
  sortBy: "duration",
  limit: 9,
});
expectType<Equal<typeof page, TaskPage<Picture, { sizeBytes: number }>>>();
expectType<Equal<(typeof page)["tasks"], Task<Picture, { sizeBytes: number }>[]>>();
await resizeImage.searchPage({ cursor: page.nextCursor });
void watchTasks({ since: page.updatedCursor });
await searchTasks({ updatedSince: page.updatedCursor });
const counted = await resizeImage.count({ payload: { widthPx: [640, 800] } });
expectType<Equal<typeof counted, number>>();
// @ts-expect-error: there is no such place in the payload
await resizeImage.searchPage({ payload: { widthPixels: 640 } });
// @ts-expect-error: it is a number
await resizeImage.count({ payload: { widthPx: "640" } });
// @ts-expect-error: the type is the definition's
await resizeImage.count({ type: "send-receipt" });
// @ts-expect-error: a number has no beginning
await resizeImage.search({ payload: { widthPx: { prefix: "6" } } });
// @ts-expect-error: nor parts
await resizeImage.search({ payload: { widthPx: { contains: "4" } } });
// @ts-expect-error: nor has a Date
await resizeImage.search({ payload: { takenAt: { prefix: "2026" } } });
// @ts-expect-error: nor any instant of a task
await resizeImage.search({ createdAt: { prefix: "2026" } });

for await (const { change, task } of watchTasks<Picture, { sizeBytes: number }>({
  type: "resize-image",
  payload: { widthPx: { gt: 640 } },
})) {
  expectType<Equal<typeof change, "entered" | "changed" | "left">>();
  expectType<Equal<typeof task, Task<Picture, { sizeBytes: number }>>>();
}
// @ts-expect-error: there is no such place in the payload
watchTasks<Picture>({ payload: { widthPixels: 640 } });
for await (const { task } of watchTasks({ payload: { widthPx: { gt: 640 } }, result: { sizeBytes: 1 } }))
  expectType<Equal<typeof task, Task>>();

await resizeImage.search({
  payload: { url: { prefix: "https:" }, user: { id: [1, 2], tags: "vip" }, takenAt: { lt: new Date() } },
  result: { sizeBytes: { gt: 1 } },
  or: [{ payload: { takenAt: null } }, { not: { payload: { user: { id: { exists: true } } } } }],
});
// @ts-expect-error: there is no such place in the payload
await resizeImage.search({ payload: { widthPixels: 640 } });
// @ts-expect-error: it is a number
await resizeImage.search({ payload: { widthPx: { gte: "640" } } });
// @ts-expect-error: nor in an alternative
await resizeImage.search({ or: [{ payload: { user: { name: "kim" } } }] });
// @ts-expect-error: there is no such place in the result
await resizeImage.search({ result: { bytes: 1 } });
// @ts-expect-error: the type is the definition's
await resizeImage.search({ type: "send-receipt" });

interface Parcel {
  size: "small" | "large";
  isFragile: boolean;
  code: string | number | null;
  to: { kind: "shop"; shop: "north" | "south" } | { kind: "home"; street: string };
  stops: ("kept" | "left")[];
  weightGrams: bigint;
}

const sendParcel = defineTask("send-parcel", async (_task: Task<Parcel>) => undefined);

// Of a value that is one of several, any may be named together.
await sendParcel.search({
  payload: {
    size: ["small", "large"],
    isFragile: [true, false],
    code: [1, "b"],
    to: { shop: { in: ["north", "south"] } },
    stops: ["kept", "left"],
    weightGrams: 5n,
  },
  or: [{ payload: { size: { not: ["small", "large"] } } }, { payload: { code: null, to: { kind: "home" } } }],
});
// @ts-expect-error: none of its values
await sendParcel.search({ payload: { size: ["small", "medium"] } });
// @ts-expect-error: true and false have no order
await sendParcel.search({ payload: { isFragile: { gt: false } } });
// @ts-expect-error: a bigint is kept as text, whose order is another one
await sendParcel.search({ payload: { weightGrams: { gt: 5n } } });

interface Order {
  user: { id: number };
  plan: "free" | "pro";
  tags?: string[];
  paidAt: Date | null;
  isGift: boolean;
}

const sendReceipt = defineTask("send-receipt", async (task: Task<Order>) => ({ mail: task.id, parts: [1] }), {
  maxAttempts: 3,
  attributes: {
    userId: (order) => order.user.id,
    plan: (order) => order.plan,
    tag: (order) => order.tags,
    paidAt: (order) => order.paidAt,
    isGift: (order: Order) => order.isGift,
    mail: { result: (result) => result.mail },
    part: { result: (result) => result.parts },
  },
});

const receipts = await sendReceipt.search({
  attributes: {
    userId: [42, 43],
    plan: { in: ["free", "pro"] },
    tag: { prefix: "v" },
    paidAt: { gte: new Date(), exists: true },
    isGift: [true, false],
    mail: "m1",
    part: { not: 1 },
  },
  payload: { plan: "pro" },
  or: [{ attributes: { userId: { lt: 7 } } }, { not: { attributes: { tag: null } } }],
});
expectType<Equal<(typeof receipts)[number]["payload"], Order>>();
// @ts-expect-error: no such attribute
await sendReceipt.search({ attributes: { user: 42 } });
// @ts-expect-error: it is a number
await sendReceipt.search({ attributes: { userId: "42" } });
// @ts-expect-error: none of its values
await sendReceipt.search({ attributes: { plan: ["free", "large"] } });
// @ts-expect-error: the items of the list are texts
await sendReceipt.search({ attributes: { tag: 1 } });
// @ts-expect-error: it is a Date
await sendReceipt.search({ attributes: { paidAt: { gte: "2026-11-23" } } });
// @ts-expect-error: it is a number, which has no beginning
await sendReceipt.search({ attributes: { userId: { prefix: "4" } } });
// @ts-expect-error: true and false have no parts
await sendReceipt.searchPage({ attributes: { isGift: { contains: "t" } } });
// @ts-expect-error: it comes from the result, and is a text
await sendReceipt.search({ attributes: { mail: { gt: 5 } } });
// @ts-expect-error: nor in an alternative
await sendReceipt.search({ or: [{ attributes: { users: 42 } }] });

const byAnySchema = defineTask("by-schema", async (task) => task.payload.size, {
  payload: z.object({ size: z.number(), label: z.string().optional() }),
  attributes: {
    size: ({ size }) => size,
    label: ({ label }) => label,
    double: { result: (size) => 2 * size },
  },
});
await byAnySchema.search({ attributes: { size: { gte: 640 }, label: { contains: "vip" }, double: 4 } });
// @ts-expect-error: no such attribute
await byAnySchema.search({ attributes: { width: 640 } });
// @ts-expect-error: it is a number
await byAnySchema.search({ attributes: { size: "640" } });
const sized = z.object({ size: z.number() });
// @ts-expect-error: the extractor knows what the schema gives
defineTask("wrong", async () => 1, { payload: sized, attributes: { a: (given) => given.width } });
// @ts-expect-error: an attribute is a text, a number, a boolean, a Date, or a list of them
defineTask("wrong", async (_task: Task<Order>) => 1, { attributes: { user: (order) => order.user } });

/** Where nothing tells which attributes there are, any may be asked for. */
const untyped = defineTask("untyped", async (task) => task.payload, {
  attributes: { userId: (payload) => payload.userId },
});
await untyped.search({ attributes: { userId: "u1" }, or: [{ attributes: { userId: { gt: 1 } } }] });
// @ts-expect-error: but not one that it does not declare
await untyped.search({ attributes: { user: 1 } });
const byArguments = defineTask<Order, number>("by-arguments", async () => 1, {
  attributes: { userId: (order) => order.user.id },
});
await byArguments.search({ attributes: { userId: 42 } });
const someDefinition: TaskDefinition = sendReceipt;
await someDefinition.search({ attributes: { anything: 1 } });
export const ofOrders: TaskDefinition<Order, { mail: string; parts: number[] }> = sendReceipt;
const sources: AttributeSources<Order> = { userId: (order) => order.user.id };
await defineTask("given", async (_task: Task<Order>) => 1, { attributes: sources }).search({
  attributes: { userId: 42 },
});
await searchTasks({ attributes: { anything: 1 }, and: [{ attributes: { other: { prefix: "x" } } }] });
await searchTasks({ payload: { anything: { contains: "x" } }, error: { prefix: "E" } });
