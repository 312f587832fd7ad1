/** True for types that are the same, `any` and `never` included. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Does nothing; does not compile unless its argument is `true`. */
export function expectType<_Same extends true>(): void {}
