/** The kinds of searches that are timed, each with random questions that the tasks of records.ts have answers to. */

import type { TaskSummaryOptions } from "../../server/tasks/core/counts/summary.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import { dayMs, days, errors, type Mix, plans, types, users } from "./records.ts";

type Random = () => number;

export interface Kind {
  name: string;
  /** Milliseconds at most, at the median and at the 99th percentile, per store; undefined where nothing was asked for. */
  targets?: {
    sqlite: [p50: number | undefined, p99: number];
    postgres: [p50: number | undefined, p99: number];
  };
  ask: "page" | "next" | "count" | "summary";
  search(random: Random, now: number): TaskSearchOptions | TaskSummaryOptions;
  /** A share of the questions that the others get; 1 unless set. */
  share?: number;
  /** Whether it needs the texts to be indexed. */
  ofTexts?: boolean;
}

const page: Kind["targets"] = { sqlite: [1, 5], postgres: [3, 10] };
const attributes: Kind["targets"] = { sqlite: [undefined, 5], postgres: [undefined, 10] };
const texts: Kind["targets"] = { sqlite: [10, 100], postgres: [10, 100] };
const counts: Kind["targets"] = { sqlite: [undefined, 5], postgres: [undefined, 5] };
const deep: Kind["targets"] = { sqlite: [undefined, 30], postgres: [undefined, 30] };
const budget: Kind["targets"] = { sqlite: [undefined, 1_100], postgres: [undefined, 1_100] };

const pick = <Value>(random: Random, values: readonly Value[]): Value =>
  values[Math.floor(random() * values.length)]!;
const hourMs = 3_600_000;
const statuses = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] as const;

function timeRange(random: Random, now: number): { start?: Date; end?: Date } {
  const start = new Date(now - Math.floor(random() * days * dayMs));
  return pick(random, [{ start }, { start, end: new Date(start.getTime() + dayMs) }, { end: start }]);
}

/** Any combination of what the specification has. */
function specified(random: Random, now: number): TaskSearchOptions {
  return {
    limit: 50,
    definitions: false,
    sortBy: pick(random, ["createdAt", "updatedAt", "id"] as const),
    sortOrder: pick(random, ["asc", "desc"] as const),
    ...(random() < 0.6 && { type: pick(random, types) }),
    ...(random() < 0.6 && { status: pick(random, statuses) as never }),
    ...(random() < 0.3 && { createdAtRange: timeRange(random, now) }),
    ...(random() < 0.3 && { updatedAtRange: timeRange(random, now) }),
  };
}

/** A user, some with thousands of tasks and some with none. */
const user = (random: Random) => Math.floor(users * random() ** 2);

function about(random: Random, now: number): TaskSearchOptions {
  return {
    limit: 50,
    definitions: false,
    ...(random() < 0.5 && { type: pick(random, types) }),
    ...(random() < 0.5 && { status: pick(random, statuses) as never }),
    ...(random() < 0.5 && { createdAtRange: timeRange(random, now) }),
  };
}

const words = [
  "ETIMEDOUT",
  "receipt",
  "영수증",
  "rate limit",
  "결제 승인",
  "user4242@",
  "order 99",
  "KRW",
  "hang up",
];

const waiting = { status: "PENDING" as never, definitions: false, limit: 50 };

/** Any combination of what the specification has, of the tasks that wait. */
function specifiedWaiting(random: Random, now: number): TaskSearchOptions {
  return { ...specified(random, now), ...waiting };
}

/** What is asked where all tasks wait; before what is asked of any. */
const kindsOfWaiting: readonly Kind[] = [
  { name: "waiting: any specified options and order", targets: page, ask: "page", search: specifiedWaiting },
  { name: "waiting: the page after one of those", targets: page, ask: "next", search: specifiedWaiting },
  {
    name: "waiting: offset 100,000",
    targets: deep,
    ask: "page",
    search: (random, now) => ({ ...specifiedWaiting(random, now), offset: 100_000 }),
    share: 0.2,
  },
  {
    name: "waiting: of a priority, newest",
    ask: "page",
    search: (random) => ({ ...waiting, priority: Math.floor(11 * random()) }),
    share: 0.05,
  },
  {
    name: "waiting: due within a day, newest",
    ask: "page",
    search: (random, now) => {
      const due = now + Math.floor((random() * 2 - 1) * days * dayMs);
      return { ...waiting, dueAt: { gte: new Date(due), lt: new Date(due + dayMs) } };
    },
    share: 0.05,
  },
  {
    name: "waiting: most urgent (priority)",
    ask: "page",
    search: () => ({ ...waiting, sortBy: "priority" }),
    share: 0.05,
  },
  {
    name: "waiting: next due (dueAt) of a type",
    ask: "page",
    search: (random) => ({ ...waiting, type: pick(random, types), sortBy: "dueAt", sortOrder: "asc" }),
    share: 0.05,
  },
];

/** Those of a month's history, or of a store in which all tasks wait. */
export function kindsOf(mix: Mix): readonly Kind[] {
  return mix === "waiting" ? [...kindsOfWaiting, ...kinds] : kinds;
}

export const kinds: readonly Kind[] = [
  {
    name: "newest 50 failed",
    targets: page,
    ask: "page",
    search: () => ({ status: "FAILED" as never, definitions: false }),
  },
  { name: "any specified options and order", targets: page, ask: "page", search: specified },
  { name: "the page after one of those", targets: page, ask: "next", search: specified },
  {
    name: "offset 100,000",
    targets: deep,
    ask: "page",
    search: (random, now) => ({ ...specified(random, now), offset: 100_000 }),
    share: 0.2,
  },
  {
    name: "attribute (user), status, type, time",
    targets: attributes,
    ask: "page",
    search: (random, now) => ({ ...about(random, now), attributes: { userId: user(random) } }),
  },
  {
    name: "attribute (plan: a third), status, type, time",
    targets: attributes,
    ask: "page",
    search: (random, now) => ({ ...about(random, now), attributes: { plan: pick(random, plans) } }),
  },
  {
    name: "attribute (plan: a third), by another order",
    targets: budget,
    ask: "page",
    search: (random) => ({
      definitions: false,
      attributes: { plan: pick(random, plans) },
      sortBy: pick(random, ["startedAt", "dueAt", "duration", "priority"] as const),
      sortOrder: pick(random, ["asc", "desc"] as const),
    }),
    share: 0.2,
  },
  {
    name: "text: word or phrase",
    targets: texts,
    ofTexts: true,
    ask: "page",
    search: (random) => ({ definitions: false, text: pick(random, words) }),
    share: 0.3,
  },
  {
    // Shorter than what the index has.
    name: "text: a word of two letters",
    targets: budget,
    ofTexts: true,
    ask: "page",
    search: () => ({ definitions: false, text: "거절" }),
    share: 0.02,
  },
  {
    name: "text: one request among all",
    targets: texts,
    ofTexts: true,
    ask: "page",
    search: (random) => ({ definitions: false, text: `request ${Math.floor(1e9 * random()).toString(36)}` }),
    share: 0.3,
  },
  {
    name: "text, status, type, time",
    targets: texts,
    ofTexts: true,
    ask: "page",
    search: (random, now) => ({ ...about(random, now), text: pick(random, words) }),
    share: 0.3,
  },
  {
    name: "text: by relevance",
    ofTexts: true,
    ask: "page",
    search: (random) => ({ definitions: false, text: pick(random, words), sortBy: "relevance" }),
    share: 0.1,
  },
  {
    name: "failed, error contains",
    targets: texts,
    ofTexts: true,
    ask: "page",
    search: (random) => ({
      definitions: false,
      status: "FAILED" as never,
      error: { contains: pick(random, errors).slice(0, 12) },
    }),
    share: 0.3,
  },
  {
    name: "undeclared path: payload.order.number",
    targets: budget,
    ask: "page",
    search: (random) => ({
      definitions: false,
      payload: { order: { number: Math.floor(random() * 1_000_000) } },
    }),
    share: 0.02,
  },
  {
    name: "undeclared path: amount over a bound",
    targets: { sqlite: [200, 1_100], postgres: [200, 1_100] },
    ask: "page",
    search: (random) => ({ definitions: false, payload: { order: { amount: { gte: 90_000 * random() } } } }),
    share: 0.1,
  },
  {
    name: "slowest (duration), by type",
    ask: "page",
    search: (random) => ({ definitions: false, sortBy: "duration", type: pick(random, types) }),
    share: 0.05,
  },
  {
    name: "newest completed (completedAt)",
    ask: "page",
    search: (random) => ({ definitions: false, sortBy: "completedAt", type: pick(random, types) }),
    share: 0.05,
  },
  {
    name: "started within an hour, newest",
    targets: budget,
    ask: "page",
    search: (random, now) => {
      const start = now - Math.floor(random() * days * dayMs);
      return { definitions: false, startedAt: { gte: new Date(start), lt: new Date(start + hourMs) } };
    },
    share: 0.2,
  },
  {
    name: "completed within an hour, newest",
    targets: budget,
    ask: "page",
    search: (random, now) => {
      const start = now - Math.floor(random() * days * dayMs);
      return { definitions: false, completedAt: { gte: new Date(start), lt: new Date(start + hourMs) } };
    },
    share: 0.2,
  },
  {
    name: "started within a minute, any specified options",
    targets: budget,
    ask: "page",
    search: (random, now) => {
      const start = now - Math.floor(random() * days * dayMs);
      const { createdAtRange: _created, updatedAtRange: _updated, ...search } = specified(random, now);
      return { ...search, startedAt: { gte: new Date(start), lt: new Date(start + 60_000) } };
    },
    share: 0.2,
  },
  {
    name: "newest started (startedAt)",
    targets: page,
    ask: "page",
    search: () => ({ definitions: false, sortBy: "startedAt" }),
    share: 0.05,
  },
  {
    name: "startedAt, any specified options",
    targets: page,
    ask: "page",
    search: (random, now) => ({ ...specified(random, now), sortBy: "startedAt" }),
    share: 0.3,
  },
  {
    name: "next due (dueAt), waiting",
    targets: page,
    ask: "page",
    search: () => ({ definitions: false, status: "PENDING" as never, sortBy: "dueAt", sortOrder: "asc" }),
    share: 0.05,
  },
  {
    name: "latest due (dueAt) of all",
    targets: page,
    ask: "page",
    search: () => ({ definitions: false, sortBy: "dueAt" }),
    share: 0.05,
  },
  {
    name: "dueAt, any specified options",
    targets: page,
    ask: "page",
    search: (random, now) => ({ ...specified(random, now), sortBy: "dueAt" }),
    share: 0.3,
  },
  ...(["completedAt", "duration", "priority"] as const).map(
    (sortBy): Kind => ({
      name: `${sortBy}, any specified options`,
      targets: page,
      ask: "page",
      search: (random, now) => ({ ...specified(random, now), sortBy }),
      share: 0.3,
    }),
  ),
  {
    name: "count by type and status",
    targets: counts,
    ask: "count",
    search: (random) => ({ type: pick(random, types), status: pick(random, statuses) as never }),
  },
  {
    name: "count by type, status, time",
    targets: budget,
    ask: "count",
    search: (random, now) => ({
      type: pick(random, types),
      status: pick(random, statuses) as never,
      createdAtRange: timeRange(random, now),
    }),
    share: 0.1,
  },
  {
    name: "facets by status and type",
    targets: counts,
    ask: "summary",
    search: () => ({ by: ["status", "type"] }),
  },
  {
    name: "facets by status and hour, one day",
    targets: counts,
    ask: "summary",
    search: (random, now) => ({ by: ["status", "hour"], createdAtRange: someTime(random, now, dayMs) }),
    share: 0.2,
  },
  {
    name: "facets by type and hour, one day",
    targets: counts,
    ask: "summary",
    search: (random, now) => ({ by: ["type", "hour"], createdAtRange: someTime(random, now, dayMs) }),
    share: 0.2,
  },
  {
    name: "facets by status and minute, an hour",
    targets: counts,
    ask: "summary",
    search: (random, now) => ({ by: ["status", "minute"], createdAtRange: someTime(random, now, hourMs) }),
    share: 0.2,
  },
  {
    name: "facets by status, type and hour, one day",
    targets: counts,
    ask: "summary",
    search: (random, now) => ({
      by: ["status", "type", "hour"],
      createdAtRange: someTime(random, now, dayMs),
    }),
    share: 0.2,
  },
  {
    name: "facets by type and minute, an hour",
    targets: counts,
    ask: "summary",
    search: (random, now) => ({ by: ["type", "minute"], createdAtRange: someTime(random, now, hourMs) }),
    share: 0.2,
  },
  {
    name: "facets by type and day, some days",
    targets: counts,
    ask: "summary",
    search: (random, now) => ({
      by: ["type", "day"],
      createdAtRange: someTime(random, now, Math.floor(random() * days) * dayMs),
    }),
    share: 0.2,
  },
  {
    name: "facets by status and hour of the change, one day",
    targets: counts,
    ask: "summary",
    search: (random, now) => ({
      by: ["status", "hour"],
      time: "updatedAt",
      updatedAtRange: someTime(random, now, dayMs),
    }),
    share: 0.2,
  },
  {
    name: "facets by status and minute, all",
    targets: budget,
    ask: "summary",
    search: () => ({ by: ["status", "minute"] }),
    share: 0.01,
  },
];

/** A stretch of the month that begins at any instant. */
function someTime(random: Random, now: number, lengthMs: number): { start: Date; end: Date } {
  const start = now - days * dayMs + Math.floor(random() * (days * dayMs - lengthMs));
  return { start: new Date(start), end: new Date(start + lengthMs) };
}
