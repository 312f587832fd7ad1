/** What is inferred from a handler, a schema, or the specification's type arguments. Compiled, never run. */
import { defineTask, type Task, type TaskDefinition } from "dure";
import * as v from "valibot";
import { z } from "zod";
import { type Equal, expectType } from "./expect.ts";

const picture = z.object({ url: z.url(), widthPx: z.number().int().default(640) });

export const byZod = defineTask(
  "resize-image",
  async (task, context) => {
    expectType<Equal<typeof task.payload, { url: string; widthPx: number }>>();
    expectType<Equal<typeof context.signal, AbortSignal>>();
    return { bytes: task.payload.widthPx * 2 };
  },
  { payload: picture, maxAttempts: 3, backoff: { first: "1s" } },
);
export const enqueuedByZod = byZod.enqueue({ url: "https://example.com/a.png" });
expectType<Equal<Awaited<typeof enqueuedByZod>["payload"], { url: string; widthPx: number }>>();
export const ranByZod = byZod.run({ url: "https://example.com/a.png", widthPx: 9 }, { waitTimeout: "1s" });
expectType<Equal<Awaited<typeof ranByZod>, { bytes: number }>>();
// @ts-expect-error: widthPx is a number
void byZod.enqueue({ url: "https://example.com/a.png", widthPx: "9" });
// @ts-expect-error: url is required
void byZod.run({});
// @ts-expect-error: each item has a payload
void byZod.enqueueMany([{ url: "https://example.com/a.png" }]);
void byZod.enqueueMany([{ payload: { url: "https://example.com/a.png" }, tags: ["image"] }]);

const receipt = v.object({ order: v.pipe(v.string(), v.transform(Number)) });

export const byValibot = defineTask(
  "send-receipt",
  async (task) => {
    expectType<Equal<typeof task.payload, { order: number }>>();
    return task.payload.order;
  },
  { payload: receipt },
);
void byValibot.enqueue({ order: "17" });
// @ts-expect-error: the caller gives what the schema takes, a string
void byValibot.enqueue({ order: 17 });

export const byHandler = defineTask("nightly-report", async (task: Task<{ day: Date }>) => task.payload.day);
void byHandler.enqueue({ day: new Date() });
// @ts-expect-error: day is a Date
void byHandler.enqueue({ day: "2026-11-23" });
expectType<Equal<Awaited<ReturnType<typeof byHandler.run>>, Date>>();

export const byArguments: TaskDefinition<{ day: string }, number> = defineTask<{ day: string }, number>(
  "weekly-report",
  async (task) => ({ status: "success", data: task.payload.day.length }),
  { description: "Counts", maxAttempts: 3 },
);
// @ts-expect-error: the envelope's data is the result
defineTask<string, number>("count", async () => ({ status: "success", data: "many" }));

// @ts-expect-error: no such option
defineTask("count", async () => 1, { maxAttemps: 3 });
// @ts-expect-error: a backoff that is a function cannot be stored with one task
void byHandler.enqueue({ day: new Date() }, { backoff: () => 5 });
