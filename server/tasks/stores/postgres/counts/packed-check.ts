/** Compares what is packed (packing.ts) with the counts that it was made of: these are packed once more, and nothing is changed. */
import type { HealthFinding } from "../../../core/store.ts";
import type { Session } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { quoted, statement } from "../statement.ts";
import { type PackedRow, rowsOf, type Stretch } from "./packing.ts";

/** Of one snapshot. */
const stretchesMax = 20;

export async function packedFinding(
  database: Pick<Context["database"], "read" | "snapshot" | "location">,
): Promise<HealthFinding> {
  const check = "packed";
  let wrong = 0;
  const stretches = await database.read(listPacked);
  for (let at = 0; at < stretches.length; at += stretchesMax) {
    const some = stretches.slice(at, at + stretchesMax).map(([hours, first]): Stretch => ({ hours, first }));
    wrong += await database.snapshot((session) => countWrong(session, some));
  }
  if (wrong === 0) return { level: "ok", check, message: "The packed counts equal the kept ones." };
  const schema = quoted(database.location.schema);
  return {
    level: "error",
    check,
    message: `${wrong} of the packed hours and days ${wrong === 1 ? "differs" : "differ"} from the kept counts.`,
    next:
      "Please report this: it is a defect of Dure. Tasks are not affected, but counts by type or queue and time are. To have them read " +
      `from the kept counts at once, and packed anew by workers: INSERT INTO ${schema}.unpacked_counts (hours, first) ` +
      `SELECT DISTINCT hours, first FROM ${schema}.packed_counts;`,
  };
}

/** Of how many stretches a packed row is not what it would be now; what is noted to be packed anew is not read. */
async function countWrong(session: Session, stretches: readonly Stretch[]): Promise<number> {
  const columns = [stretches.map(({ hours }) => hours), stretches.map(({ first }) => first)];
  const packed = (await session.query(readPacked, columns)) as PackedRow[];
  const read = packed.map(([hours, , first]) => ({ hours, first }) as Stretch);
  const right = new Set((await rowsOf(session, read)).map(textOf));
  const wrong = packed.filter((row) => !right.has(textOf(row)));
  return new Set(wrong.map(([hours, , first]) => `${hours} ${first}`)).size;
}

function textOf([hours, byEnd, first, places, total, counts]: PackedRow): string {
  return `${hours} ${byEnd} ${first} ${places} ${total?.toString("hex")} ${counts.toString("hex")}`;
}

const listPacked = statement(
  "listPacked",
  "SELECT DISTINCT hours, first FROM :schema.packed_counts ORDER BY hours, first",
);

const readPacked = statement(
  "readPacked",
  `SELECT hours, by_end, first, places::text, total, counts FROM :schema.packed_counts AS packed
    JOIN unnest($1::smallint[], $2::integer[]) AS own (hours, first) USING (hours, first)
    WHERE NOT EXISTS (SELECT 1 FROM :schema.unpacked_counts AS noted
      WHERE noted.hours = packed.hours AND noted.first = packed.first)`,
);
