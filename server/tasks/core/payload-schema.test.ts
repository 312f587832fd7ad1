import { expect, test } from "vitest";
import { z } from "zod";
import { payloadSchemaOf } from "./payload-schema.ts";

test("the schema of what is given, with what JSON Schema cannot say left open", () => {
  const schema = z.object({
    url: z.url().describe("Where it is"),
    widthPx: z.number().int().default(640),
    takenAt: z.date().optional(),
  });
  expect(payloadSchemaOf(schema)).toMatchObject({
    type: "object",
    properties: {
      url: { type: "string", description: "Where it is" },
      widthPx: { default: 640 },
      takenAt: {},
    },
    required: ["url"],
  });
});

test("a library that has no JSON Schema, or fails at it, gives none", () => {
  const validate = (value: unknown) => ({ value });
  const bare = { "~standard": { version: 1, vendor: "x", validate } } as const;
  const failing = {
    "~standard": {
      ...bare["~standard"],
      jsonSchema: {
        input: () => {
          throw new Error("not this one");
        },
      },
    },
  };
  expect(payloadSchemaOf(undefined)).toBeUndefined();
  expect(payloadSchemaOf(bare)).toBeUndefined();
  expect(payloadSchemaOf(failing)).toBeUndefined();
});

test("one of more than 64 KiB is left out", () => {
  const names = Array.from({ length: 3_000 }, (_, n) => [`field${n}`, z.string().describe("x".repeat(20))]);
  expect(payloadSchemaOf(z.object(Object.fromEntries(names)))).toBeUndefined();
});
