import { expect, test } from "vitest";
import { createProgram } from "./program.ts";
import { refuseSwallowedTerms } from "./swallowed-term.ts";

const check = (...args: string[]) => refuseSwallowedTerms(createProgram(), args);

test.each([
  [["search", "-queue:images", "--count"], "-queue:images"],
  [["search", "status:failed", "-tag:vip"], "-tag:vip"],
  [["-d", "a.db", "search", "-status:failed"], "-status:failed"],
  [["search", "-due:<1h"], "-due:<1h"],
  [["tail", "-payload.user.id:4"], "-payload.user.id:4"],
  [["search", "-(tag:a OR tag:b)"], "-(tag:a OR tag:b)"],
  [["search", "-@stuck"], "-@stuck"],
])("%j: a term with a minus is refused where options stand", (args, term) => {
  expect(() => check(...args)).toThrow(`-- '${term}'`);
});

test.each([
  [["search", "--query", "tag:vip", "--count"], "dure search 'tag:vip'"],
  [["tail", "--query=tag:vip"], "dure tail 'tag:vip'"],
  [["search", "--query"], "dure search 'status:failed'"],
])("%j: a query is no option there", (args, command) => {
  expect(() => check(...args)).toThrow(`takes its query without --query: ${command}`);
});

test.each([
  [["search", "--", "-queue:images"]],
  [["search", "-q", "images", "-n5"]],
  [["search", "-dpostgres://me@host/tasks"]],
  [["search", "-dC:\\tasks.db"]],
  [["search", "-auserId=a:b"]],
  [["search", "--text", "-tag:vip"]],
  [["retry", "--query", "-tag:vip"]],
])("%j stays what it is", (args) => {
  expect(() => check(...args)).not.toThrow();
});
