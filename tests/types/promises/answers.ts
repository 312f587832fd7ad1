/** A program may export what it was answered: all types that are met have a name it can import. Compiled, never run. */
import { createDure } from "dure";
import type { HistoryBucket, TaskChange } from "dure/types";
import { type Equal, expectType } from "./expect.ts";

const { instance, ...dure } = createDure();
export const everything = { ...dure };

export const cancelled = async () => (await dure.cancelTask("order-17")).task.progress;
export const groups = async () => (await dure.summarizeTasks()).groups;
export const total = async () => (await dure.summarizeTasks()).total;
export const waits = async () => (await dure.readHistory())[0]!.waitMs;
export const reasons = async () => (await dure.explainTask("order-17")).reasons;
export const source = async () => (await dure.explainSearch()).source;
export const records = async () => (await dure.readAudit()).records;
export const alert = async () => (await dure.listSearches())[0]!.alert;
export const alertState = async () => (await dure.listSearches())[0]!.alertState;
export const logs = async () => (await dure.listAttempts("order-17"))[0]!.logs;
export const error = async () => (await dure.listAttempts("order-17"))[0]!.error;
export const archived = async () => (await dure.getArchivedTask("order-17"))!.attempts;

expectType<Equal<Awaited<ReturnType<typeof dure.readHistory>>, HistoryBucket[]>>();
for await (const change of dure.watchTasks()) expectType<Equal<typeof change, TaskChange>>();
