import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Ledger, ledgerText } from "./crash-ledger.ts";

const line = { event: "start", taskId: "task_1", fence: 3, pid: 1_000, at: 1_700_000_000_000.5 };

test("lines are read as they come, and one that is being written is left for the next time", () => {
  const ledger = new Ledger(path());
  expect(ledger.lines()).toEqual([]);
  const next = ledgerText({ ...line, event: "end" });
  appendFileSync(ledger.path, ledgerText(line) + next.slice(0, 10));
  expect(ledger.lines()).toEqual([line]);
  appendFileSync(ledger.path, next.slice(10));
  expect(ledger.of("end")).toEqual([{ ...line, event: "end" }]);
  expect(ledger.starts("task_1")).toEqual([line]);
});

test("a part of a line that a killed process left hides no line of another, wherever it ended", () => {
  const text = ledgerText(line);
  for (let length = 0; length <= text.length; length += 1) {
    const ledger = new Ledger(path());
    appendFileSync(ledger.path, text.slice(0, length) + ledgerText({ ...line, pid: 2 }));
    const isWhole = length >= text.length - 1;
    expect(ledger.lines(), `${length} characters`).toEqual(
      isWhole ? [line, { ...line, pid: 2 }] : [{ ...line, pid: 2 }],
    );
  }
});

function path(): string {
  const folder = mkdtempSync(join(tmpdir(), "dure-ledger-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "ledger");
}
