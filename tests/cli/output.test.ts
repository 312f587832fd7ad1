import pc from "picocolors";
import { describe, expect, test } from "vitest";
import { errorColumns } from "../../server/cli/commands/errors.ts";
import type { Output } from "../../server/cli/output.ts";
import { renderTable } from "../../server/cli/table.ts";
import { taskColumns } from "../../server/cli/task-view.ts";
import { formatBytes, jsonText, plainLine, plainLines } from "../../server/cli/text.ts";
import { formatRelative, parseInstant, parseTime } from "../../server/cli/times.ts";
import { cut, padded, widthOf, wrapped } from "../../server/cli/width.ts";
import type { ErrorGroup } from "../../server/http/contract.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { TaskStatus } from "../../server/tasks/core/task.ts";

const now = new Date("2026-11-23T12:00:00Z");

describe("text of anybody's", () => {
  test.each([
    ["colours", "\u001b[31mred\u001b[0m", "red"],
    ["cursor movements", "a\u001b[2J\u001b[1;1Hb", "ab"],
    ["links", "\u001b]8;;https://example.com\u0007name\u001b]8;;\u0007", "name"],
    ["links ended the other way", "\u001b]8;;https://example.com\u001b\\name\u001b]8;;\u001b\\", "name"],
    ["titles in the C1 form", "a\u009d0;title\u009cb", "ab"],
    ["device strings", "a\u001bP+q544e\u001b\\b", "ab"],
    ["a string without an end", "a\u001b]0;title", "a"],
    ["the direction of writing", "txt.\u202egpj\u202c \u2066x\u2069", "txt.gpj x"],
    ["bells and backspaces", "a\u0007\u0008b\u007f", "ab"],
    ["NUL", "a\u0000b", "ab"],
    ["tags that no terminal shows", "a\u{e0041}b", "ab"],
  ])("is rid of %s", (_name, text, plain) => {
    expect(plainLine(text)).toBe(plain);
  });

  test("keeps its lines where lines are wanted, and a return cannot overwrite one", () => {
    expect(plainLines("safe\rfake\nnext\u2028last")).toBe("safe\nfake\nnext\nlast");
    expect(plainLine("  one\n\n two\ttabs ")).toBe("one two  tabs");
  });

  test("keeps every script, accents and emoji", () => {
    expect(plainLine("리포트-생성 é 👩‍🌾")).toBe("리포트-생성 é 👩‍🌾");
  });

  test("means the same in JSON, with what acts on a terminal escaped", () => {
    const value = { text: "\u001b[31m \u009b31m \u202e \u{e0041} 두레" };
    const json = jsonText(value);
    expect(JSON.parse(json)).toEqual(value);
    expect(json).not.toMatch(/[\u001b\u007f-\u009f\u202e]/);
    expect(json).toContain("두레");
  });
});

describe("tables", () => {
  const failed = makeTask({
    id: "01M836BNC0N333QKTH39FR0DV8",
    type: "리포트-생성",
    error: "mailbox full ".repeat(12),
  });

  test.each([80, 100, 140])("fit %d columns, and never cut an id", (width) => {
    const lines = render(width, [failed, makeTask({})]).split("\n");
    for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(width);
    expect(lines.join("\n")).toContain(failed.id);
    expect(lines.join("\n")).toContain("…");
  });

  test("put a long error below its row where there is no room beside it", () => {
    const [head, row, below] = render(80, [failed]).split("\n");
    expect(head).not.toContain("error");
    expect(row).toContain("FAILED");
    expect(below).toMatch(/^ {4}mailbox full/);
  });

  test("are whole in a pipe, and aligned whatever the script", () => {
    const [head, first, second] = render(Number.POSITIVE_INFINITY, [
      failed,
      makeTask({ status: TaskStatus.RUNNING }),
    ]).split("\n");
    expect(first).toContain("mailbox full ".repeat(12).trim());
    const start = columnsOf(head!.slice(0, head!.indexOf("status")));
    expect(columnsOf(first!.slice(0, first!.indexOf("FAILED")))).toBe(start);
    expect(columnsOf(second!.slice(0, second!.indexOf("RUNNING")))).toBe(start);
  });

  test("hold what a task says on its own line", () => {
    const forged = makeTask({ error: "x\nFAKE  row\u001b[2J" });
    expect(render(Number.POSITIVE_INFINITY, [forged]).split("\n")).toHaveLength(2);
  });

  test("of errors leave the message its place, however many types say it", () => {
    const types = Array.from({ length: 20 }, (_, index) => `type-${index}`);
    const group = { count: 871, types, message: "connect ETIMEDOUT 10.0.0.7:443", ...at } as ErrorGroup;
    const shown = renderErrors(100, group);
    expect(shown).toContain("type-0, type-1, type-2 +17  connect ETIMEDOUT 10.0.0.7:443");
    for (const width of [60, 80]) expect(renderErrors(width, group)).toMatch(/connect ETIMEDOUT 10\.0\.0/);
    expect(renderErrors(Number.POSITIVE_INFINITY, group)).toContain(types.join(", "));
  });

  const at = { firstAt: now.toISOString(), lastAt: now.toISOString() };

  function renderErrors(width: number, group: ErrorGroup): string {
    const output = { width, colors: pc.createColors(false) } as Output;
    return renderTable(output, errorColumns(output, now.getTime()), [group]);
  }

  function render(width: number, tasks: Task[]): string {
    const output = { width, colors: pc.createColors(false) } as Output;
    return renderTable(output, taskColumns(output, now.getTime()), tasks);
  }
});

describe("the width of a text", () => {
  test.each([
    ["", 0],
    ["resize-image", 12],
    ["리포트", 6],
    ["리포트".normalize("NFD"), 6],
    ["日本", 4],
    ["ﾊﾝ", 2],
    ["e\u0301", 1],
    ["👩‍🌾", 2],
    ["👍🏽", 2],
    ["🇰🇷", 2],
    ["1️⃣", 2],
    ["\u001b[31mred\u001b[39m", 3],
  ])("of %j is %d", (text, width) => {
    expect(widthOf(text)).toBe(width);
    expect(widthOf(padded(text, 20))).toBe(20);
    expect(padded(text, 20, true).endsWith(text)).toBe(true);
  });

  test("is kept to by a cut, which takes no half of a sign", () => {
    expect(cut("리포트", 6)).toBe("리포트");
    expect(cut("리포트-생성", 6)).toBe("리포…");
    expect(cut("리포트-생성".normalize("NFD"), 6)).toBe("리포…");
    expect(cut("👩‍🌾👩‍🌾👩‍🌾", 5)).toBe("👩‍🌾👩‍🌾…");
    expect(cut("mailbox", 1)).toBe("…");
    expect(cut("mailbox", Number.POSITIVE_INFINITY)).toBe("mailbox");
  });

  test("is kept to by lines, broken between words where there are any", () => {
    expect(wrapped("메일함이 가득 찼습니다 mailbox full", 20)).toEqual([
      "메일함이 가득",
      "찼습니다 mailbox",
      "full",
    ]);
    expect(wrapped(`${"x".repeat(50)} end`, 20)).toEqual(["x".repeat(20), "x".repeat(20), "xxxxxxxxxx end"]);
    expect(wrapped(`${"x".repeat(20)} y`, 20)).toEqual(["x".repeat(20), "y"]);
    expect(wrapped("가".repeat(12), 20)).toEqual(["가".repeat(10), "가가"]);
    expect(wrapped("no limit ".repeat(30), Number.POSITIVE_INFINITY)).toEqual(["no limit ".repeat(30)]);
    expect(wrapped("", 20)).toEqual([""]);
  });
});

describe("times", () => {
  test("a day is midnight here; a time without an offset is here too", () => {
    expect(parseInstant("2026-11-23", "--run-at")).toEqual(new Date(2026, 10, 23));
    expect(parseInstant("2026-11-23T09:30", "--run-at")).toEqual(new Date(2026, 10, 23, 9, 30));
    expect(parseInstant("2026-11-23 09:30:05", "--run-at")).toEqual(new Date(2026, 10, 23, 9, 30, 5));
    expect(parseInstant("2026-11-23T09:30:00Z", "--run-at")).toEqual(new Date("2026-11-23T09:30:00Z"));
    expect(parseInstant("2026-11-23T09:30:00+09:00", "--run-at")).toEqual(new Date("2026-11-23T00:30:00Z"));
  });

  test.each(["", "tomorrow", "2026-13-01", "2026-02-29", "2026-11-23T25:00", "1700000000000", "11/23/2026"])(
    "%j is no date",
    (text) => {
      expect(() => parseInstant(text, "--run-at")).toThrow(/--run-at is .* no date/);
    },
  );

  test("are told as distances, and sizes in units", () => {
    const at = (ms: number) => formatRelative(new Date(now.getTime() + ms), now.getTime());
    expect([at(-300), at(-61_000), at(-7_500_000), at(90_000), at(-4_200), at(3_599_400)]).toEqual([
      "now",
      "1m ago",
      "2h ago",
      "in 1m",
      "4s ago",
      "in 1h",
    ]);
    expect([0, 512, 1536, 98_304, 3 * 1024 ** 3].map(formatBytes)).toEqual([
      "0 B",
      "512 B",
      "1.5 KiB",
      "96 KiB",
      "3 GiB",
    ]);
  });
});

function makeTask(fields: Partial<Task>): Task {
  return {
    id: "picture-1",
    type: "resize-image",
    status: TaskStatus.FAILED,
    createdAt: new Date(now.getTime() - 60_000),
    updatedAt: now,
    startedAt: new Date(now.getTime() - 1_000),
    completedAt: now,
    payload: {},
    maxAttempts: 1,
    attempts: 1,
    ...fields,
  };
}

/** Hangul takes two columns. */
function columnsOf(text: string): number {
  return [...text].reduce((sum, sign) => sum + (/\p{Script=Hangul}/u.test(sign) ? 2 : 1), 0);
}

test("a range takes the words of queries for times", () => {
  const agoMs = Date.now() - parseTime("2d", "--created-from").getTime();
  expect(Math.abs(agoMs - 2 * 86_400_000)).toBeLessThan(10_000);
  expect(parseTime("yesterday", "--from").getTime()).toBeLessThan(Date.now());
  expect(parseTime("2026-11-23", "--from")).toEqual(new Date(2026, 10, 23));
  expect(() => parseTime("soon", "--from")).toThrow('--from is "soon", which is no date');
});
