/** What each route takes and answers, as the client's callers see it: read off the routes themselves. Types only. */
import type { allRoutes } from "../http/app.ts";
import type { Route } from "../http/route.ts";

type AnyRoute = (typeof allRoutes)[number];

/** Every route by its method and path, such as `GET /tasks/:id`. */
export type Calls = { [Each in AnyRoute as `${Each["method"]} /${Each["path"]}`]: CallOf<Each> };

export type CallName = keyof Calls & string;
export type CallQuery<Name extends CallName> = Calls[Name]["query"];
export type CallBody<Name extends CallName> = Calls[Name]["body"];
export type CallAnswer<Name extends CallName> = Calls[Name]["answer"];

interface CommonInput {
  signal?: AbortSignal | undefined;
}

/** What a call is given; what the route does not take cannot be given. */
export type CallInput<Name extends CallName> = CommonInput &
  Part<"params", Calls[Name]["params"]> &
  Part<"query", Calls[Name]["query"]> &
  Part<"body", Calls[Name]["body"]>;

/** The input may be left out where nothing in it is required. */
export type CallArguments<Name extends CallName> =
  Record<never, never> extends CallInput<Name> ? [input?: CallInput<Name>] : [input: CallInput<Name>];

type Part<Key extends string, Value> = [Value] extends [undefined]
  ? unknown
  : Record<never, never> extends Value
    ? { [One in Key]?: Value }
    : { [One in Key]: Value };

type CallOf<Each> =
  Each extends Route<any, any, infer Answer, infer Path, any, infer Query, infer Body>
    ? {
        params: ParamsOf<Path>;
        query: unknown extends Query ? undefined : QueryWritten<Query>;
        body: unknown extends Body ? undefined : BodyWritten<Body>;
        answer: Revived<Answer>;
      }
    : never;

type ParamsOf<Path extends string> = [ParamNames<Path>] extends [never]
  ? undefined
  : { [Name in ParamNames<Path>]: string };

type ParamNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamNames<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** A query string says everything as text: lists joined by commas, Dates in ISO form, numbers and booleans as they print. */
type QueryWritten<Query> = { [Key in keyof Query]: QueryValue<Query[Key]> };
type QueryValue<Value> = unknown extends Value
  ? string | number | boolean | undefined
  : string extends Value
    ? string | readonly string[] | Date | undefined
    : "true" extends Value
      ? Value | boolean
      : Value;

/** Where an instant is wanted, a Date will do. */
type BodyWritten<Value> = Value extends readonly (infer Item)[]
  ? readonly BodyWritten<Item>[]
  : Value extends object
    ? {
        [Key in keyof Value]: Key extends InstantKey
          ? Value[Key] | (string extends Value[Key] ? Date : never)
          : Key extends OpaqueKey
            ? Value[Key]
            : BodyWritten<Value[Key]>;
      }
    : Value;

/** The keys whose texts are instants; see revive.ts. */
export type InstantKey =
  | "at"
  | "since"
  | "until"
  | "from"
  | "to"
  | "start"
  | "end"
  | "minute"
  | "hour"
  | "day"
  | "searchedBackTo"
  | `${string}At`;

/** The keys whose values are the user's own, and stay as they come. */
export type OpaqueKey = "payload" | "result" | "fields" | "details" | "payloadSchema" | "before" | "after";

/** An answer once its instants are Dates. */
export type Revived<Value> = Value extends Date
  ? Date
  : Value extends readonly (infer Item)[]
    ? Revived<Item>[]
    : Value extends object
      ? {
          [Key in keyof Value]: Key extends OpaqueKey
            ? Value[Key]
            : Key extends InstantKey
              ? RevivedInstant<Value[Key]>
              : Revived<Value[Key]>;
        }
      : Value;

type RevivedInstant<Value> = Value extends string ? Date : Revived<Value>;
