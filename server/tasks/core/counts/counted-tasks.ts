/** Groups of a summary that are counted task by task. */
import type { AttributeCount, Attributes } from "../store.ts";
import type { Task } from "../task.ts";
import type { AttributeName, SummaryKey, TaskSummary } from "./summary.ts";
import { bucketsMs, Groups, type TimedTask } from "./summary-groups.ts";

type AttributeValue = AttributeCount["value"];

export type CountedTask = TimedTask & Pick<Task, "status" | "type" | "queue" | "updatedAt">;

export const attributePrefix = "attribute.";
/** Characters of a value; a store may give no more of a long one. */
const shownMax = 150;

export class CountedTasks {
  readonly #groups: Groups;
  readonly #time: "createdAt" | "updatedAt";
  readonly #withTimes: boolean;
  readonly #bucketMs: number | undefined;
  readonly #attribute: AttributeName | undefined;

  constructor(keys: readonly SummaryKey[], time: "createdAt" | "updatedAt", withTimes: boolean) {
    this.#groups = new Groups(keys);
    this.#time = time;
    this.#withTimes = withTimes;
    const bucket = keys.find((key) => Object.hasOwn(bucketsMs, key)) as keyof typeof bucketsMs | undefined;
    this.#bucketMs = bucket && bucketsMs[bucket];
    this.#attribute = keys.find(isAttribute);
  }

  /** @param attributes of the task; asked for only where it is counted by one */
  add(task: CountedTask, attributes: Attributes | undefined): void {
    const { status, type, queue = "default" } = task;
    const at = this.#bucketMs && Math.floor(task[this.#time].getTime() / this.#bucketMs) * this.#bucketMs;
    const name = this.#attribute;
    for (const value of name ? shownValues(attributes, name) : [undefined]) {
      const values = { status, type, queue, ...(value !== undefined && { [name!]: value }) };
      const group = this.#groups.add(values, at, 1);
      if (this.#withTimes) this.#groups.addTimes(group, task);
    }
  }

  list(): Pick<TaskSummary, "groups" | "valuesLeftOut"> {
    return this.#attribute ? this.#groups.top(this.#attribute, 0) : { groups: this.#groups.list() };
  }
}

export function isAttribute(key: unknown): key is AttributeName {
  return typeof key === "string" && key.startsWith(attributePrefix) && key.length > attributePrefix.length;
}

function shownValues(attributes: Attributes | undefined, attribute: AttributeName): Set<AttributeValue> {
  const given = attributes?.[attribute.slice(attributePrefix.length)];
  return new Set((given === undefined ? [] : [given].flat()).map(shown));
}

export function shown(value: AttributeValue): AttributeValue {
  if (typeof value !== "string" || value.length <= shownMax) return value;
  const characters = [...value];
  return characters.length <= shownMax ? value : `${characters.slice(0, shownMax).join("")}…`;
}
