/** What handlers throw and return when they go wrong, by name. */

/** Names of what can be thrown. */
export const oddThrows: Record<string, () => unknown> = {
  null: () => null,
  undefined: () => undefined,
  string: () => "only text",
  number: () => Number.NaN,
  symbol: () => Symbol("sign"),
  function: () => () => {},
  "revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "frozen object": () => Object.freeze({ frozen: true }),
  "object without prototype": () => Object.create(null),
  "throwing getters": () => ({
    get name(): string {
      throw new Error("name");
    },
    get message(): string {
      throw new Error("message");
    },
    get stack(): string {
      throw new Error("stack");
    },
    toString(): string {
      throw new Error("toString");
    },
  }),
  "50 MB message": () => new Error("x".repeat(50 * 1024 * 1024)),
  "cycle of causes": () => {
    const error = new Error("outer");
    error.cause = new Error("inner", { cause: error });
    return error;
  },
  "ten thousand errors": () =>
    new AggregateError(
      Array.from({ length: 10_000 }, (_, index) => new Error(`number ${index}`)),
      "many",
    ),
  "control characters": () =>
    new Error("nul \u0000, lone \ud800, bell \u0007, \u001b[31mred\u001b[0m, \u202edlrow, 🌱"),
};

const oddResults: Record<string, () => unknown> = {
  function: () => ({ sizes: [() => {}] }),
  symbol: () => Symbol("sign"),
  cycle: () => {
    const cycle: Record<string, unknown> = {};
    cycle.again = cycle;
    return cycle;
  },
  "class instance": () => ({ maker: new (class Maker {})() }),
  "throwing getter": () => ({
    get size(): number {
      throw new Error("getter");
    },
  }),
  "100 MB": () => "x".repeat(100 * 1024 * 1024),
};

/** Names of what can be returned. */
export const oddResultNames = Object.keys(oddResults);

export function oddThrow(name: string): unknown {
  return oddThrows[name]?.();
}

export function oddResult(name: string): unknown {
  return oddResults[name]?.();
}
