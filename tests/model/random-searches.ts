/** Searches as chance has them, about tasks that are there: filters of every kind in each other, every order, counts by anything. */

import type { SummaryKey, TaskSummaryOptions } from "../../server/tasks/core/counts/summary.ts";
import type { TaskFilter } from "../../server/tasks/core/filters/filter.ts";
import type { TaskSearchOptions, TaskSortField } from "../../server/tasks/core/search.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import type { Chance } from "../support/chance.ts";
import type { Known } from "../support/plain-search.ts";
import { hourMs, plans, queues, types, words } from "./lived-tasks.ts";

const instants = ["createdAt", "updatedAt", "startedAt", "completedAt", "dueAt"] as const;
const statuses = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] as const;
const sortFields: readonly TaskSortField[] = [...instants, "duration", "priority", "id"];

export class RandomSearches {
  readonly #chance: Chance;
  readonly #all: readonly Known[];

  constructor(chance: Chance, all: readonly Known[]) {
    this.#chance = chance;
    this.#all = all;
  }

  /** Filters and an order, which most indexes are for; and any other filters. */
  options(): TaskSearchOptions {
    const chance = this.#chance;
    return {
      ...this.filters(),
      ...(chance.happens(0.8) && { sortBy: chance.pick(sortFields) }),
      ...(chance.happens(0.6) && { sortOrder: chance.pick(["asc", "desc"] as const) }),
      definitions: false,
      budget: "none",
    };
  }

  filters(): TaskSearchOptions {
    const chance = this.#chance;
    return {
      ...this.#plain(),
      ...(chance.happens(0.2) && { createdAtRange: this.#range() }),
      ...(chance.happens(0.2) && { updatedAtRange: this.#range() }),
      ...(chance.happens(0.5) && this.#leaf()),
      ...(chance.happens(0.3) && this.#joined(3)),
    };
  }

  summary(): TaskSummaryOptions {
    const chance = this.#chance;
    const time = chance.pick(["createdAt", "updatedAt"] as const);
    const keys: SummaryKey[] = [
      ...chance.some<SummaryKey>(["status", "type", "queue"], chance.below(4)),
      ...(chance.happens(0.6) ? [chance.pick(["minute", "hour", "day"] as const)] : []),
      ...(chance.happens(0.3) ? [this.#attribute()] : []),
    ];
    const range = time === "createdAt" ? "createdAtRange" : "updatedAtRange";
    return {
      ...(chance.happens(0.3) ? this.filters() : this.#plain()),
      ...(chance.happens(0.6) && { [range]: this.#range() }),
      ...{ by: keys, time, budget: "none" },
    };
  }

  #attribute(): SummaryKey {
    const name = this.#chance.pick(["userId", "plan", "shelves", "isGift", "rows", "nobody"]);
    return `attribute.${name}`;
  }

  #plain(): TaskSearchOptions {
    const chance = this.#chance;
    return {
      ...(chance.happens(0.4) && { type: this.#oneOrSome([...types, "nothing"]) }),
      ...(chance.happens(0.5) && { status: this.#oneOrSome(statuses) as never }),
      ...(chance.happens(0.2) && { queue: this.#oneOrSome([...queues, "nothing"]) }),
    };
  }

  #oneOrSome<Value>(values: readonly Value[]): Value | Value[] {
    const chance = this.#chance;
    if (chance.happens(0.6)) return chance.pick(values);
    // Some twice.
    return Array.from({ length: 1 + chance.below(4) }, () => chance.pick(values));
  }

  /** Half-open, with one end or two. */
  #range(): { start?: Date; end?: Date } {
    const chance = this.#chance;
    const [start, end] = [this.#instant(), this.#instant()].sort((a, b) => a.getTime() - b.getTime());
    return chance.pick([
      { start: start! },
      { end: end! },
      { start: start!, end: end! },
      { start: start!, end: end! },
    ]);
  }

  /** One that a task has, or near it, or where an hour or minute begins. */
  #instant(): Date {
    const chance = this.#chance;
    const { task } = this.#known();
    const at = (task[chance.pick(instants)] ?? task.createdAt).getTime();
    const near = at + chance.pick([0, 0, 1, -1, 60_000, hourMs, -hourMs, chance.below(9 * hourMs)]);
    const unit = chance.pick([1, 1, 1, 60_000, hourMs]);
    return new Date(Math.floor(near / unit) * unit);
  }

  #known(): Known {
    return this.#chance.pick(this.#all);
  }

  #joined(depth: number): TaskFilter {
    const chance = this.#chance;
    const parts = () => Array.from({ length: 1 + chance.below(3) }, () => this.#part(depth - 1));
    return chance.pick([
      () => ({ and: parts() }),
      () => ({ or: parts() }),
      () => ({ or: parts() }),
      () => ({ not: this.#part(depth - 1) }),
      () => ({ not: parts() }),
    ])() as TaskFilter;
  }

  #part(depth: number): TaskFilter {
    const chance = this.#chance;
    if (depth > 0 && chance.happens(0.4)) return this.#joined(depth);
    return chance.happens(0.2) ? { ...this.#plain(), ...this.#leaf() } : this.#leaf();
  }

  #leaf(): TaskFilter {
    const chance = this.#chance;
    const { task, attributes, text } = this.#known();
    const textFields = [
      "id",
      "type",
      "queue",
      "tag",
      "workerId",
      "idempotencyKey",
      "description",
      "error",
    ] as const;
    const numberFields = ["attempts", "maxAttempts", "priority", "crashes"] as const;
    return chance.pick<() => object>([
      () => this.#of(chance.pick(textFields), task),
      () => this.#of(chance.pick(textFields), task),
      () => this.#of(chance.pick(numberFields), task),
      () => this.#instantOf(chance.pick(instants)),
      () => this.#instantOf(chance.pick(instants)),
      () => ({ [chance.pick(["duration", "wait"])]: this.#match(this.#length(), () => this.#length()) }),
      () => ({ attributes: this.#attributesOf(attributes as Record<string, unknown>) }),
      () => ({ attributes: this.#attributesOf(attributes as Record<string, unknown>) }),
      () => this.#placeOf("payload", task),
      () => this.#placeOf("payload", task),
      () => this.#placeOf("result", task),
      () => ({ text: this.#textOf(text) }),
      () => ({ text: [this.#textOf(text), chance.pick(words)] }),
      () => ({ status: this.#oneOrSome(statuses) }),
    ])() as TaskFilter;
  }

  #of(name: keyof Task | "tag", task: Task): object {
    const value = (one: Task) => {
      const field = name === "tag" ? one.tags : one[name];
      return Array.isArray(field) ? this.#chance.pick(field) : field;
    };
    return { [name]: this.#match(value(task), () => value(this.#known().task)) };
  }

  #instantOf(name: (typeof instants)[number]): object {
    return { [name]: this.#match(this.#instant(), () => this.#instant()) };
  }

  #length(): number {
    return this.#chance.pick([0, 1, 999, 1_000, 1_001, 1_500, 60_000, this.#chance.below(9 * hourMs)]);
  }

  #attributesOf(attributes: Record<string, unknown>): object {
    const chance = this.#chance;
    const name = chance.pick(["userId", "plan", "amount", "shelves", "isGift", "rows", "nobody"]);
    const value = (given: Record<string, unknown>) => {
      const one = given[name];
      return Array.isArray(one) ? chance.pick(one) : one;
    };
    const others = () => value(this.#known().attributes as Record<string, unknown>);
    return { [name]: this.#match(value(attributes) ?? chance.pick([...plans, 7]), others) };
  }

  /** A path that leads to something in the task's own, or past it. */
  #placeOf(of: "payload" | "result", task: Task): object {
    const chance = this.#chance;
    const path = chance.pick(
      of === "payload"
        ? [
            ["user", "id"],
            ["user", "plan"],
            ["amount"],
            ["note"],
            ["shelves"],
            ["isGift"],
            ["lines", "of"],
            ["lines", "1", "count"],
            ["user"],
            ["no"],
          ]
        : [["ok"], ["rows"], ["name"], ["no", "such"]],
    );
    const at = (value: any) => path.reduce((inner, key) => inner?.[key], value);
    const simple = (value: unknown) => (typeof value === "object" ? undefined : value);
    const match = this.#match(simple(at(task[of])), () => simple(at(this.#known().task[of])));
    return { [of]: path.reduceRight((below: unknown, key) => ({ [key]: below }), match) };
  }

  #textOf(text: string): string {
    const chance = this.#chance;
    if (chance.happens(0.4)) return chance.pick(words);
    const line = [...chance.pick(text.split("\n"))];
    const start = chance.below(line.length);
    const part = line.slice(start, start + 1 + chance.below(12)).join("");
    return part.trim() === "" ? chance.pick(words) : part;
  }

  /** @param other draws the same of another task */
  #match(value: unknown, other: () => unknown, depth = 0): unknown {
    const chance = this.#chance;
    if (value === undefined) value = chance.pick(["nothing", null]);
    const among = [value, other(), other()].filter((one) => one !== undefined);
    const all = (): unknown[] => [
      value,
      value,
      null,
      among,
      { in: chance.happens(0.3) ? [...among, null] : among },
      { exists: chance.happens(0.5) },
    ];
    const kinds: (() => unknown)[] = [
      () => chance.pick(all()),
      () => (isOrdered(value) ? this.#bounds(value, other()) : value),
      () => (typeof value === "string" ? { prefix: [...value].slice(0, chance.below(7)).join("") } : value),
      () => (typeof value === "string" ? { contains: [...value].slice(chance.below(4)).join("") } : value),
      () => (depth === 0 ? { not: this.#match(value, other, 1) } : value),
    ];
    return chance.pick(kinds)();
  }

  #bounds(value: unknown, other: unknown): object {
    const chance = this.#chance;
    const from = chance.pick(["gt", "gte"]);
    const to = chance.pick(["lt", "lte"]);
    const second = isOrdered(other) && typeof other === typeof value ? other : value;
    const [low, high] = (value as number) < (second as number) ? [value, second] : [second, value];
    return chance.pick([{ [from]: value }, { [to]: value }, { [from]: low, [to]: high }]);
  }
}

function isOrdered(value: unknown): boolean {
  return typeof value === "number" || typeof value === "string" || value instanceof Date;
}
