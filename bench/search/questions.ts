/**
 * What Dure and its peers are both asked. Each question comes with what Dure is asked for it; the peers' files say what
 * each of them is asked, and a question that one has no call for is not in its file.
 */
import type { TaskRecord } from "../../server/tasks/core/store.ts";
import { seeded } from "../../tests/support/seeded.ts";
import type { BenchDure } from "../support/product.ts";
import { dayMs, days, errors, plans, recordOf, types, users } from "./records.ts";

const hourMs = 3_600_000;
const statuses = ["PENDING", "COMPLETED", "FAILED", "CANCELLED"] as const;
const words = ["receipt", "영수증", "user4242@", "order 99", "KRW", "hang up"];

/** Chance for one question: the same numbers for every store, so all are asked the same. */
export interface Given {
  /** Any of the tasks, for questions about one that is there. */
  record: TaskRecord;
  /** Its place among all, from 0: the oldest. */
  place: number;
  type: string;
  status: (typeof statuses)[number];
  user: number;
  plan: string;
  /** An hour of the month. */
  from: Date;
  to: Date;
  word: string;
  error: string;
}

/** `count` tasks, the newest of them made at `now`. */
export function draws(count: number, now: number): () => Given {
  const random = seeded(7);
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)]!;
  return () => {
    const place = Math.floor(random() * count);
    const from = now - Math.floor(hourMs + random() * (days * dayMs - hourMs));
    return {
      record: recordOf(place, count, now, "history"),
      place,
      type: pick(types),
      status: pick(statuses),
      user: Math.floor(users * random() ** 2),
      plan: pick(plans),
      from: new Date(from),
      to: new Date(from + hourMs),
      word: pick(words),
      error: pick(errors).slice(0, 12),
    };
  };
}

/** Answers whether it is the whole answer, not one that its budget cut short. */
type Ask = () => Promise<boolean>;

export interface Question {
  name: string;
  title: string;
  /** Makes ready what is not timed, and answers what is. */
  dure(dure: BenchDure, given: Given): Ask | Promise<Ask>;
}

type Search = NonNullable<Parameters<BenchDure["searchTaskPage"]>[0]>;
type Summary = Parameters<BenchDure["summarizeTasks"]>[0];

const page = (dure: BenchDure, search: Search) => async () =>
  (await dure.searchTaskPage({ limit: 50, definitions: false, ...search })).complete;
const groups = (dure: BenchDure, summary: Summary) => async () =>
  (await dure.summarizeTasks(summary)).complete;
const status = (name: string) => name as Search["status"];

export const questions: readonly Question[] = [
  {
    name: "by-id",
    title: "a task by its id",
    dure:
      (dure, { record }) =>
      async () =>
        (await dure.getTaskById(record.id)) !== undefined,
  },
  {
    name: "newest-failed",
    title: "newest 50 failed",
    dure: (dure) => page(dure, { status: status("FAILED") }),
  },
  {
    name: "type-status",
    title: "newest 50 of a type and status",
    dure: (dure, given) => page(dure, { type: given.type, status: status(given.status) }),
  },
  {
    name: "oldest-waiting",
    title: "oldest 50 waiting of a type",
    dure: (dure, { type }) => page(dure, { type, status: status("PENDING"), sortOrder: "asc" }),
  },
  {
    name: "offset",
    title: "50 completed at offset 100,000",
    dure: (dure) => page(dure, { status: status("COMPLETED"), offset: 100_000 }),
  },
  {
    name: "page-after",
    title: "the 50 of a type after any page (cursor)",
    dure: async (dure, { record }) => {
      const search: Search = {
        type: record.type,
        createdAtRange: { start: new Date(record.createdAt) },
        sortOrder: "asc",
      };
      const { nextCursor } = await dure.searchTaskPage({ ...search, limit: 50, definitions: false });
      return page(dure, nextCursor ? { ...search, cursor: nextCursor } : search);
    },
  },
  {
    name: "payload-user",
    title: "of a type, a user's (an attribute in Dure)",
    dure: (dure, { type, user }) => page(dure, { type, attributes: { userId: user } }),
  },
  {
    name: "payload-path",
    title: "of a type, an order number nobody declared",
    dure: (dure, { record, place }) =>
      page(dure, { type: record.type, payload: { order: { number: place } } }),
  },
  {
    name: "started",
    title: "newest 50 of a type started in an hour",
    dure: (dure, { type, from, to }) => page(dure, { type, startedAt: { gte: from, lte: to } }),
  },
  {
    name: "updated",
    title: "newest 50 of a type changed in an hour",
    dure: (dure, { type, from, to }) =>
      page(dure, { type, updatedAtRange: { start: from, end: to }, sortBy: "updatedAt" }),
  },
  {
    name: "attribute-status-time",
    title: "a plan's of a status in an hour",
    dure: (dure, given) =>
      page(dure, {
        status: status(given.status),
        attributes: { plan: given.plan },
        createdAtRange: { start: given.from, end: given.to },
      }),
  },
  {
    name: "error",
    title: "failed with an error that contains",
    dure: (dure, { error }) => page(dure, { status: status("FAILED"), error: { contains: error } }),
  },
  {
    name: "text",
    title: "full text",
    dure: (dure, { word }) => page(dure, { text: word }),
  },
  {
    name: "counts",
    title: "counts by status",
    dure: (dure) => groups(dure, { by: "status" }),
  },
  {
    name: "counts-of-type",
    title: "counts by status of a type",
    dure: (dure, { type }) => groups(dure, { by: "status", type }),
  },
  {
    name: "counts-by-hour",
    title: "counts by status and hour, latest day",
    dure: (dure) =>
      groups(dure, {
        by: ["status", "hour"],
        createdAtRange: { start: new Date(Date.now() - dayMs) },
      }),
  },
];

export interface Answered {
  /** Milliseconds of each answer. */
  times: number[];
  /** How many of them a budget cut short. */
  cut: number;
}

/** As many questions as the time allows, at least three, after two that do not count. */
export async function timed(
  ask: (given: Given) => Ask | Promise<Ask>,
  draw: () => Given,
  { questionsMax, secondsMax }: { questionsMax: number; secondsMax: number },
): Promise<Answered> {
  const times: number[] = [];
  let cut = 0;
  const endsAt = performance.now() + secondsMax * 1_000;
  for (let n = -2; n < questionsMax && (n < 3 || performance.now() < endsAt); n += 1) {
    const answer = await ask(draw());
    const startedAt = performance.now();
    const isWhole = await answer();
    if (n < 0) continue;
    times.push(performance.now() - startedAt);
    if (!isWhole) cut += 1;
  }
  return { times, cut };
}
