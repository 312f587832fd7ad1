/** What a definition's search knows of its payload and result. Compiled, never run. */
import { defineTask, type Task } from "dure";
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
