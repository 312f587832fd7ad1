import { expect, test } from "vitest";
import { compareText } from "./compare.ts";

const texts = [
  "",
  "a",
  "ab",
  "fine",
  "ﬁne",
  "\ud800",
  "a\udfffb",
  "a\ufffdb",
  "\ue000",
  "\uffff",
  "\u{1f600}",
  "김",
];

test("texts are in the order of the bytes that a database keeps of them, halves of letters too", () => {
  for (const a of texts) {
    for (const b of texts) {
      const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect([a, b, Math.sign(compareText(a, b))]).toEqual([a, b, bytes]);
    }
  }
});
