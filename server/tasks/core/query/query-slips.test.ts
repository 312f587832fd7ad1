import { expect, test } from "vitest";
import { knownOtherwise } from "./known-otherwise.ts";
import { slipsIn, textsIn } from "./query-slips.ts";

test.each<[string, string[]]>([
  ["tag:vip or tag:new", ["write OR to join terms"]],
  ["tag:vip and tag:new", ["write AND"]],
  ["tag:vip not tag:new", ["write NOT"]],
  ["tag:a || tag:b", ["write OR"]],
  ["status!=failed", ["status!=failed is read as a text to look for; write -status:failed."]],
  ["tag=vip", ["write tag:vip."]],
  ["tag == vip", ["tag == vip is read as a text to look for; write tag:vip."]],
  ["!tag:vip", ["write -tag:vip."]],
  ["created > 2h", ["created > 2h is read as a text to look for; write created:>2h."]],
  ["created >2h tag:x", ["created >2h is read as a text to look for; write created:>2h."]],
  ["payload.widthPx>=640", ["write payload.widthPx:>=640."]],
  ['tag = "a b"', ['write tag:"a b".']],
  ["“rate limit”", ["Only straight quotes"]],
  ["error:ETIME*", ["error:ETIME asks for a part"]],
  ["send*", ["send* is looked for with the star in it; send is found wherever it stands."]],
  ["*mail*", ["mail is found wherever it stands."]],
  ['"send*"', []],
  ["*", ["* is looked for as a sign; a query without it finds all."]],
  ["status:failed *", ["* is looked for as a sign"]],
  ['"*"', []],
  ["or", []],
  ["tag:vip OR tag:new", []],
  ["or=", []],
  ["a:b -c:>5 type:resize* timeout @stuck", []],
  ['"tag=vip"', []],
  ["https://example.com/?a=b", []],
])("%s", (query, hints) => {
  expect(slipsIn(query)).toEqual(hints.map((hint) => expect.stringContaining(hint)));
});

test("texts are those that stand by themselves", () => {
  expect(textsIn('img-17 tag:x "a b" -other status:failed')).toEqual(["img-17", "a b", "other"]);
});

test.each<[string, string | undefined]>([
  ["state", "status:"],
  ["error.message", "error:"],
  ["logs", "in quotes"],
  ["limit", "option of the search"],
  ["payload[0]", "payload.0:"],
  ["data.user", "payload.user:"],
  ["userId", undefined],
  ["constructor", undefined],
])("%s is known otherwise", (name, words) => {
  const said = knownOtherwise(name);
  if (words === undefined) expect(said).toBeUndefined();
  else expect(said).toContain(words);
});
