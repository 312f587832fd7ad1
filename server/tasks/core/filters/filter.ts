/** TaskFilter: which tasks are wanted, as callers write it; checked, and made into what a store is asked. */
import type { Duration } from "../duration.ts";
import type { TaskStatus, TaskStatusName } from "../task.ts";

/**
 * What a value must be: one value, any of a list, null (there is none), or an object whose parts must all hold.
 * Text is compared byte for byte. A list in the task meets it when one of its items does.
 */
export type Match<Value> = Value | readonly Value[] | null | Matcher<Value>;

/** What has an order. A bigint is kept as text, which has another order than its numbers. */
export type Ordered<Value> = Exclude<Value, boolean | bigint>;

/** What has a beginning and parts. A Date is compared as an instant, and a number as a number. */
export type Textual<Value> = unknown extends Value
  ? string
  : [Extract<Value, string | bigint>] extends [never]
    ? never
    : string;

/** Comparisons that must all hold. */
export interface Matcher<Value> {
  gt?: Ordered<Value>;
  gte?: Ordered<Value>;
  lt?: Ordered<Value>;
  lte?: Ordered<Value>;
  /** Any of these. */
  in?: readonly (Value | null)[];
  not?: Match<Value>;
  /** Text that begins like this. */
  prefix?: Textual<Value>;
  /** Text that has this in it, whatever its case. */
  contains?: Textual<Value>;
  /** Whether there is a value. */
  exists?: boolean;
}

type Plain = string | number | boolean | bigint | Date | null | undefined;

/**
 * A match of a value of this type; of an object, a match for each key that matters; of a list, of one of its items. What may be
 * one of several values is one match of all of them, so that a list may name any.
 */
export type PathMatch<Value> = 0 extends 1 & Value
  ? any
  : unknown extends Value
    ? Match<unknown>
    : PlainMatch<Extract<Value, Plain>> | PlaceMatch<Exclude<Value, Plain>>;

type PlainMatch<Value> = [Value] extends [never] ? never : Match<NonNullable<Value>>;

type PlaceMatch<Value> = Value extends readonly (infer Item)[]
  ? PathMatch<Item>
  : Value extends object
    ? { [Key in keyof Value]?: PathMatch<Value[Key]> }
    : never;

export type AttributeValue = string | number | boolean | Date;

/** A match for each attribute that matters; where it is not known which there are, of any name. */
export type AttributeMatches<Attributes> = 0 extends 1 & Attributes
  ? Readonly<Record<string, Match<AttributeValue>>>
  : { readonly [Name in keyof Attributes]?: AttributeMatch<Attributes[Name]> };

type AttributeMatch<Value> = 0 extends 1 & Value ? Match<AttributeValue> : Match<Value>;

/** Every key given must hold. */
export interface TaskFilter<Payload = any, Result = any, Attributes = any> {
  id?: Match<string>;
  /** Tasks of this definition; or of any of these. */
  type?: Match<string>;
  status?: TaskStatus | TaskStatusName | readonly (TaskStatus | TaskStatusName)[];
  queue?: Match<string>;
  createdAt?: Match<Date>;
  updatedAt?: Match<Date>;
  startedAt?: Match<Date>;
  completedAt?: Match<Date>;
  dueAt?: Match<Date>;
  /** From the latest start to the end, such as `{ gt: '30s' }`; only of tasks that have ended. */
  duration?: Match<Duration>;
  /** From the creation to the latest start. */
  wait?: Match<Duration>;
  attempts?: Match<number>;
  maxAttempts?: Match<number>;
  priority?: Match<number>;
  crashes?: Match<number>;
  tag?: Match<string>;
  /** The worker that has it, or had it last. */
  workerId?: Match<string>;
  idempotencyKey?: Match<string>;
  description?: Match<string>;
  /** The message of the latest error. */
  error?: Match<string>;
  /**
   * The fingerprint of a group of errors, as `dure errors --json` tells it, or a message of that group: errors that say the
   * same, numbers, ids and quoted parts left out.
   */
  errorGroup?: string;
  /** Values that definitions declare as attributes, by name. */
  attributes?: AttributeMatches<Attributes>;
  payload?: PathMatch<Payload>;
  result?: PathMatch<Result>;
  /** Text that occurs in payload, result, error, description, tags or logs, whatever its case; all of a list. */
  text?: string | readonly string[];
  and?: readonly TaskFilter<Payload, Result, Attributes>[];
  or?: readonly TaskFilter<Payload, Result, Attributes>[];
  not?: TaskFilter<Payload, Result, Attributes> | readonly TaskFilter<Payload, Result, Attributes>[];
}
