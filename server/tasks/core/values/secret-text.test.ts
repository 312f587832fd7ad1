import { expect, test } from "vitest";
import { withoutSecrets } from "./secret-text.ts";

const canary = "c4nary-Secret.9";

test.each([
  [
    `connect to postgres://app:${canary}@db:5432/x failed`,
    "connect to postgres://app:[redacted]@db:5432/x failed",
  ],
  [`401 for Authorization: Bearer ${canary}`, "401 for Authorization: Bearer [redacted]"],
  [`Basic ${canary} was refused`, "Basic [redacted] was refused"],
  [`login?user=a&password=${canary}&x=1`, "login?user=a&password=[redacted]&x=1"],
  [`{"apiKey":"${canary}","n":1}`, '{"apiKey":"[redacted]","n":1}'],
])("secrets in texts are taken out: %s", (text, shown) => {
  expect(withoutSecrets(text)).toBe(shown);
});

test.each([
  "Unexpected token < in JSON at position 0",
  "The password is wrong",
  "https://example.com:8080/a@b",
  "Basic check failed",
])("other texts stay: %s", (text) => {
  expect(withoutSecrets(text)).toBe(text);
});

test("a text made to be slow is not", { timeout: 2_000 }, () => {
  for (const text of ["a://".repeat(30_000), `x://${"y".repeat(100_000)}`, "password".repeat(20_000)])
    withoutSecrets(text);
});
