/** No test, whatever it is given, may change what all objects inherit (F110): each file is looked at when it is through. */
import { afterAll, expect } from "vitest";

const inherited = [Object.prototype, Array.prototype, Function.prototype].map((prototype) => ({
  prototype,
  keys: Reflect.ownKeys(prototype),
}));

afterAll(() => {
  for (const { prototype, keys } of inherited) expect(Reflect.ownKeys(prototype)).toEqual(keys);
});
