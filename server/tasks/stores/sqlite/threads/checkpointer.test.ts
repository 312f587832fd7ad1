import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Checkpointer } from "./checkpointer.ts";

let folder: string;
let path: string;
let writer: DatabaseSync;
let checkpointer: Checkpointer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-checkpointer-"));
  path = join(folder, "tasks.db");
  writer = new DatabaseSync(path);
  writer.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0; CREATE TABLE big (a)",
  );
  checkpointer = new Checkpointer(path, () => writer.exec("PRAGMA wal_checkpoint(PASSIVE)"));
});

afterEach(async () => {
  await checkpointer.close();
  writer.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(mebibytes: number): void {
  writer.prepare("INSERT INTO big VALUES (zeroblob(?))").run(mebibytes * 1024 * 1024);
}

/** What is the matter after further writes. */
function untilTrouble() {
  return expect.poll(
    () => {
      checkpointer.wrote();
      return checkpointer.trouble(0);
    },
    { timeout: 10_000 },
  );
}

test("a log that a reader holds up is trouble that names its cause, and none once the reader has ended (F72)", async () => {
  const reader = new DatabaseSync(path);
  reader.exec("BEGIN; SELECT * FROM big");
  write(70);
  await untilTrouble().toMatch(
    /^The write-ahead log of .*tasks\.db has grown to 7\d MiB .* reads the file in one long transaction/,
  );
  expect(checkpointer.trouble(), "not at once: a long search ends").toBeUndefined();
  reader.exec("COMMIT");
  reader.close();
  await untilTrouble().toBeUndefined();
});
