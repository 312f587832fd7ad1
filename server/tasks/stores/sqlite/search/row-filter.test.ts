import { expect, test } from "vitest";
import { newTask, newTasks } from "../../../../../tests/support/builders.ts";
import { SqliteBench } from "../../../../../tests/support/sqlite-context.ts";
import type { Condition, Field } from "../../../core/filters/condition.ts";
import { type RowFilter, rowFilterOf } from "../../shared/row-filter.ts";
import { readRows } from "./row-filter.ts";

const at = (of: "payload" | "result", ...path: string[]): Field => ({ of, path });
const from = { value: 5, isIncluded: true };
const amount: Condition = { kind: "range", field: at("payload", "order", "amount"), from };
const slow: Condition = {
  kind: "range",
  field: { of: "task", name: "duration" },
  from: { value: 0.5, isIncluded: false },
};
const rows: Condition = { kind: "exists", field: at("result", "rows") };
const tagged: Condition = { kind: "exists", field: { of: "task", name: "tag" } };

const beside = (name: string, value: string) => [
  ...[`${name}:${value}`, `${name}:[`, `${name}: `, `${name} `],
  ...["\n", "\r", "\t"],
];

test("a condition tells which value or name stands in the JSON of all that meet it, the longest that is plain", () => {
  const expected: [Condition, RowFilter | undefined][] = [
    [amount, { of: "payload", text: '"amount"' }],
    [rows, { of: "result", text: '"rows"' }],
    [
      { kind: "and", parts: [tagged, rows, amount] },
      { of: "payload", text: '"amount"' },
    ],
    [
      { kind: "range", field: at("payload", "0", "größe", "x"), from },
      { of: "payload", text: '"x"' },
    ],
    [
      { kind: "equals", field: at("payload", "x"), values: [1] },
      { of: "payload", text: '"x"' },
    ],
    [{ kind: "equals", field: at("payload", "x"), values: [1, null] }, undefined],
    [
      { kind: "equals", field: at("payload", "number"), values: [-777] },
      { of: "payload", text: "-777", beside: beside('"number"', "-777") },
    ],
    [
      { kind: "equals", field: at("payload", "numbers", "0"), values: [777] },
      { of: "payload", text: "777" },
    ],
    [
      { kind: "equals", field: at("payload", "number"), values: [777, 888] },
      { of: "payload", text: '"number"' },
    ],
    [
      { kind: "equals", field: at("payload", "number"), values: [0.00001] },
      { of: "payload", text: '"number"' },
    ],
    [
      { kind: "and", parts: [amount, { kind: "equals", field: at("result", "x"), values: ["a@b.c"] }] },
      { of: "result", text: "a@b.c", beside: beside('"x"', '"a@b.c"') },
    ],
    [{ kind: "equals", field: at("result", "größe"), values: ['say "a"'] }, undefined],
    [{ kind: "range", field: at("payload", "0", "größe"), from }, undefined],
    [slow, { of: "task", name: "duration", from: 1, to: Number.MAX_SAFE_INTEGER }],
    [
      { kind: "and", parts: [amount, slow] },
      { of: "task", name: "duration", from: 1, to: Number.MAX_SAFE_INTEGER },
    ],
    [{ kind: "range", field: { of: "task", name: "createdAt" }, from }, undefined],
    [{ kind: "not", part: slow }, undefined],
    [{ kind: "or", parts: [amount, amount] }, undefined],
    [{ kind: "not", part: amount }, undefined],
    [tagged, undefined],
  ];
  for (const [where, filter] of expected)
    expect({ where, filter: rowFilterOf(where) }).toEqual({ where, filter });
});

test("only rows that may meet it are read", () => {
  const bench = new SqliteBench();
  const payload = { order: { amount: 7 } };
  bench.enqueue(...newTasks(50, { payload: null }), newTask({ id: "with it", payload }), ...newTasks(50));
  const [[most]] = bench.connection.prepare("SELECT max(seq) FROM tasks").all() as unknown as [[number]];
  const seqs = Array.from({ length: most }, (_, place) => most - place);
  expect([...readRows(bench.connection, seqs, undefined)]).toHaveLength(101);
  const found = [...readRows(bench.connection, seqs, rowFilterOf(amount))];
  expect(found.map(([, id]) => id)).toEqual(["with it"]);
  expect([...readRows(bench.connection, seqs, rowFilterOf(rows))]).toEqual([]);
  expect([...readRows(bench.connection, seqs, rowFilterOf(slow))]).toEqual([]);
  const once: Condition = {
    kind: "range",
    field: { of: "task", name: "attempts" },
    to: { value: 0, isIncluded: true },
  };
  expect([...readRows(bench.connection, seqs, rowFilterOf(once))]).toHaveLength(101);
  bench.close();
});
