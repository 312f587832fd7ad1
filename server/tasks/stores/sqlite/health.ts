/** What `dure doctor` asks of the file: each finding names a cause and the next step. */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { HealthFinding } from "../../core/store.ts";
import type { Connection } from "./connection.ts";
import { listWorkers, stats } from "./read.ts";
import { toWorkerRecord } from "./workers.ts";

const mebibyte = 1024 * 1024;
const freeBytesMin = 512 * mebibyte;
const writeAheadBytesMax = 64 * mebibyte;
const backlogAgeMaxMs = 5 * 60_000;

/** `full` reads every page of the file; otherwise only what is quick. */
export function checkHealth(
  connection: Connection,
  { full }: { full: boolean },
  now: number,
): HealthFinding[] {
  return [
    checkIntegrity(connection, full),
    checkTallies(connection, full),
    ...(connection.path === ":memory:" ? [] : checkFiles(connection.path)),
    ...checkWorkers(connection, now),
    ...checkBacklog(connection, now),
  ];
}

function checkIntegrity(connection: Connection, full: boolean): HealthFinding {
  const check = "integrity";
  if (!full) return { level: "ok", check, message: "The file opens; --full reads every page of it." };
  const found = connection.rows("PRAGMA integrity_check(5)");
  const problems = found.map((row) => String(Object.values(row)[0])).filter((text) => text !== "ok");
  if (problems.length === 0) return { level: "ok", check, message: "Every page and index is sound." };
  return {
    level: "error",
    check,
    message: `The file is damaged: ${problems.join("; ")}.`,
    next: "Stop all workers, keep a copy of the file with its -wal, and restore a backup.",
  };
}

/** The kept counts against counted ones. */
function checkTallies(connection: Connection, full: boolean): HealthFinding {
  const check = "counts";
  if (!full) return { level: "ok", check, message: "Not counted anew; --full does." };
  const off =
    connection.rows(`/* dure:checkTallies */ SELECT lane, status, sum(counted) AS counted, sum(kept) AS kept FROM (
      SELECT lane, status, count(*) AS counted, 0 AS kept FROM tasks GROUP BY lane, status
      UNION ALL SELECT lane, status, 0, tasks FROM tallies) GROUP BY lane, status HAVING sum(counted) <> sum(kept)`);
  if (off.length === 0) return { level: "ok", check, message: "The kept counts equal the counted ones." };
  return {
    level: "error",
    check,
    message: `${off.length} kept counts differ from the counted ones.`,
    next: "Please report this: it is a defect of Dure. Tasks are not affected.",
  };
}

function checkFiles(path: string): HealthFinding[] {
  const findings: HealthFinding[] = [];
  const { mode } = statSync(path);
  const open = (mode & 0o077) !== 0;
  findings.push(
    open
      ? {
          level: "warning",
          check: "permissions",
          message: `Others may read or write ${path} (mode ${(mode & 0o777).toString(8)}).`,
          next: `chmod 600 ${path}`,
        }
      : { level: "ok", check: "permissions", message: "Only the file's owner may read and write it." },
  );
  const { bavail, bsize } = statfsSync(dirname(path));
  const free = bavail * bsize;
  findings.push(
    free < freeBytesMin
      ? {
          level: "warning",
          check: "disk",
          message: `Only ${Math.round(free / mebibyte)} MiB are free beside the database.`,
          next: "Free some space, or shorten the retention.",
        }
      : {
          level: "ok",
          check: "disk",
          message: `${Math.round(free / mebibyte).toLocaleString("en")} MiB are free.`,
        },
  );
  const writeAhead = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (writeAhead > writeAheadBytesMax) {
    findings.push({
      level: "warning",
      check: "write-ahead log",
      message: `The write-ahead log has grown to ${Math.round(writeAhead / mebibyte)} MiB.`,
      next: "Some program reads the file in one long transaction, a backup tool perhaps; end it.",
    });
  }
  return findings;
}

function checkWorkers(connection: Connection, now: number): HealthFinding[] {
  const check = "workers";
  const alive = listWorkers(connection)
    .map(toWorkerRecord)
    .filter((worker) => worker.state === "alive");
  const silent = alive.filter((worker) => now - worker.beatAt.getTime() > worker.leaseMs);
  if (silent.length > 0) {
    return [
      {
        level: "warning",
        check,
        message: `${silent.length} of ${alive.length} workers have been silent for longer than their lease: ${silent.map((worker) => `${worker.host}:${worker.pid}`).join(", ")}.`,
        next: "Start any worker: it takes back the tasks of the dead ones.",
      },
    ];
  }
  return [
    {
      level: "ok",
      check,
      message: alive.length === 0 ? "No worker runs." : `${alive.length} workers are alive.`,
    },
  ];
}

function checkBacklog(connection: Connection, now: number): HealthFinding[] {
  const check = "backlog";
  const workers = listWorkers(connection).map(toWorkerRecord);
  const defined = new Set(
    workers.filter((worker) => worker.state === "alive").flatMap((worker) => worker.types),
  );
  const { byType, oldestDueMs } = stats(connection, now);
  const waiting = byType.filter(({ status }) => status === "PENDING");
  const unserved = [...new Set(waiting.filter(({ type }) => !defined.has(type)).map(({ type }) => type))];
  const findings: HealthFinding[] = [];
  if (unserved.length > 0) {
    findings.push({
      level: "warning",
      check,
      message: `No worker that runs defines ${unserved
        .slice(0, 5)
        .map((type) => `"${type}"`)
        .join(", ")}, whose tasks wait.`,
      next: "Start a worker that loads their definitions: dure worker <files>.",
    });
  }
  if (oldestDueMs !== undefined && oldestDueMs > backlogAgeMaxMs) {
    findings.push({
      level: "warning",
      check,
      message: `The oldest due task has waited for ${Math.round(oldestDueMs / 60_000)} minutes.`,
      next: "Start more workers, or raise their concurrency.",
    });
  }
  return findings.length > 0 ? findings : [{ level: "ok", check, message: "Nothing due waits for long." }];
}
