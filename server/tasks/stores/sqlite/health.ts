/** What `dure doctor` asks of the file: each finding names a cause and the next step. */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { grouped } from "../../core/grouped.ts";
import type { HealthFinding } from "../../core/store.ts";
import { backlogFindings, workerFinding } from "../shared/findings.ts";
import { allLanes, hourSql } from "../shared/hours.ts";
import { minuteSql, minutesBefore1970 } from "../shared/kept-counts.ts";
import type { Connection } from "./connection.ts";
import { briefMs } from "./counts/brief-hours.ts";
import { listWorkers, stats } from "./read.ts";
import { recoverStep } from "./sqlite-errors.ts";
import { toWorkerRecord } from "./workers.ts";

const mebibyte = 1024 * 1024;
const freeBytesMin = 512 * mebibyte;
const writeAheadBytesMax = 64 * mebibyte;

/** `full` reads every page of the file; otherwise only what is quick. */
export function checkHealth(
  connection: Connection,
  { full }: { full: boolean },
  now: number,
): HealthFinding[] {
  const integrity = checkIntegrity(connection, full);
  // What cannot be read cannot be compared.
  const compares = integrity.level === "ok";
  const workers = listWorkers(connection).map(toWorkerRecord);
  return [
    integrity,
    ...(compares ? [checkTallies(connection, full), checkAttributes(connection, full)] : []),
    ...(connection.path === ":memory:" ? [] : checkFiles(connection.path)),
    workerFinding(workers, now),
    ...backlogFindings(workers, stats(connection, now)),
  ];
}

function checkIntegrity(connection: Connection, full: boolean): HealthFinding {
  const check = "integrity";
  if (!full) return { level: "ok", check, message: "The file opens; --full reads every page of it." };
  const found = connection.rows("PRAGMA integrity_check(5)");
  const lines = found.flatMap((row) => String(Object.values(row)[0]).split("\n"));
  const problems = lines.filter((line) => line !== "ok" && !line.startsWith("***"));
  if (problems.length === 0) return { level: "ok", check, message: "Every page and index is sound." };
  return {
    level: "error",
    check,
    message: `The file is damaged: ${problems.join("; ")}.`,
    next: recoverStep(connection.path),
  };
}

/** The kept counts against counted ones. */
function checkTallies(connection: Connection, full: boolean): HealthFinding {
  const check = "counts";
  if (!full) return { level: "ok", check, message: "Not counted anew; --full does." };
  const off =
    connection.rows(`/* dure:checkTallies */ SELECT lane, status, sum(counted) AS counted, sum(kept) AS kept FROM (
      SELECT lane, status, count(*) AS counted, 0 AS kept FROM tasks GROUP BY lane, status
      UNION ALL SELECT lane, status, 0, tasks FROM tallies) GROUP BY lane, status HAVING sum(counted) <> sum(kept)
    UNION ALL SELECT * FROM (${minutesOff}) UNION ALL SELECT * FROM (${hoursOff})
    UNION ALL SELECT * FROM (${briefOff})`);
  if (off.length === 0) return { level: "ok", check, message: "The kept counts equal the counted ones." };
  return {
    level: "error",
    check,
    message: `${off.length} of the kept counts differ${off.length === 1 ? "s" : ""} from the counted ones.`,
    next: "Please report this: it is a defect of Dure. Tasks are not affected.",
  };
}

const stateSql = "CASE WHEN status >= 3 THEN status ELSE 0 END";
const hoursBefore1970 = minutesBefore1970 / 60;
const differs = "HAVING sum(tasks) <> 0 OR sum(changed) <> 0";

/** Lane, state, how many tasks too few, and how many changed too few, of each minute of which counts are wrong. */
const minutesOff = `SELECT lane, state, sum(tasks), sum(changed) FROM (
    SELECT lane, ${stateSql} AS state, ${minuteSql("created_at")} AS minute, count(*) AS tasks, 0 AS changed FROM tasks GROUP BY 1, 2, 3
    UNION ALL SELECT lane, status, ${minuteSql("max(updated_at, created_at)")}, 0, count(*) FROM tasks WHERE status >= 3 GROUP BY 1, 2, 3
    UNION ALL SELECT lane, state, minute, -tasks, -changed FROM minute_tallies WHERE lane <> ${allLanes}
  ) GROUP BY lane, state, minute ${differs}`;

/** The same of sums: of all lanes, of hours, and of days. */
const hoursOff = `SELECT lane, state, sum(tasks), sum(changed) FROM (
    SELECT lane, state, (minute + ${minutesBefore1970}) / 60 - ${minutesBefore1970 / 60} AS hour, tasks, changed FROM minute_tallies
    UNION ALL SELECT lane, state, hour, -tasks, -changed FROM hour_tallies
  ) GROUP BY lane, state, hour ${differs}
  UNION ALL SELECT lane, state, sum(tasks), sum(changed) FROM (
    SELECT lane, state, (hour + ${hoursBefore1970}) / 24 - ${hoursBefore1970 / 24} AS day, tasks, changed FROM hour_tallies
      WHERE hour < (SELECT day FROM day_mark) * 24
    UNION ALL SELECT lane, state, day, -tasks, -changed FROM day_tallies
  ) GROUP BY lane, state, day ${differs}
  UNION ALL SELECT ${allLanes}, state, sum(tasks), sum(changed) FROM (
    SELECT state, minute, CASE lane WHEN ${allLanes} THEN -tasks ELSE tasks END AS tasks,
      CASE lane WHEN ${allLanes} THEN -changed ELSE changed END AS changed FROM minute_tallies
  ) GROUP BY state, minute ${differs}`;

/** Lane, status, duration and hour of brief tasks that are not where they would be looked for. */
const briefOff = `SELECT DISTINCT tasks.lane, tasks.status, completed_at - started_at, ${hourSql("created_at")}
  FROM tasks JOIN lanes USING (lane) LEFT JOIN brief_hours AS kept ON kept.lane = tasks.lane AND kept.status = tasks.status
    AND kept.duration = completed_at - started_at AND kept.hour = ${hourSql("created_at")}
  WHERE tasks.status >= 3 AND own_ids = 0 AND completed_at - started_at BETWEEN 0 AND ${briefMs - 1} AND kept.lane IS NULL`;

/** The index of attributes against what the tasks have. */
function checkAttributes(connection: Connection, full: boolean): HealthFinding {
  const check = "attributes";
  if (!full) return { level: "ok", check, message: "Not compared; --full does." };
  const [astray] = connection.rows(`/* dure:checkAttributes */ SELECT count(*) AS entries FROM attributes
    LEFT JOIN tasks USING (seq) WHERE tasks.seq IS NULL OR tasks.created_at <> attributes.created_at
      OR attributes.state <> CASE WHEN status >= 3 THEN status ELSE 0 END
      OR tasks.seq > (SELECT up_to FROM attribute_marks)`);
  const [missing] = connection.rows(`/* dure:checkAttributes */ SELECT count(*) AS entries FROM (
      SELECT DISTINCT tasks.seq, names.key, item.type IN ('true', 'false'), item.atom FROM tasks
        JOIN json_each(tasks.attributes) AS names
        JOIN json_tree(tasks.attributes, '$."' || names.key || '"') AS item ON item.atom IS NOT NULL
        WHERE tasks.seq <= (SELECT up_to FROM attribute_marks))`);
  const [kept] = connection.rows("/* dure:checkAttributes */ SELECT count(*) AS entries FROM attributes");
  const off = Number(astray!.entries) + Math.abs(Number(missing!.entries) - Number(kept!.entries));
  if (off === 0) return { level: "ok", check, message: "The index of attributes has what the tasks have." };
  return {
    level: "error",
    check,
    message: `The index of attributes differs from what the tasks have, by ${off} of its entries.`,
    next: "Please report this: it is a defect of Dure. Searches by attributes may miss tasks; the tasks are not affected.",
  };
}

/** @param freeBytes beside the database */
export function diskFinding(freeBytes: number): HealthFinding {
  const check = "disk";
  const free = `${grouped(Math.round(freeBytes / mebibyte))} MiB`;
  if (freeBytes >= freeBytesMin) return { level: "ok", check, message: `${free} are free.` };
  return {
    level: "warning",
    check,
    message: `Only ${free} are free beside the database.`,
    next: "Free some space, or shorten the retention.",
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
  findings.push(diskFinding(bavail * bsize));
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
