/**
 * The summaries that are usual, as the texts that are made of them: by status or by type too, of all tasks or of some types, by each stretch
 * of time or none. They are of a time that has no tasks; see rehearsal.ts.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { hourMs } from "../../shared/hours.ts";
import { dayMs, minuteMs } from "../../shared/kept-counts.ts";
import { planningOnce } from "../connections/planning.ts";
import type { Rehearsed } from "../connections/rehearsal.ts";
import { askedOf, timesStatement } from "./time-counts.ts";

/** Days, with hours, minutes and parts of these at both ends. */
const range = { start: hourMs + minuteMs + 1, end: 3 * dayMs + hourMs + minuteMs + 1 };
const stretches = [undefined, minuteMs, hourMs, dayMs];
const lanes = [{ areApart: false }, { areApart: true }, { areApart: true, types: [] }];

/** Each text once. */
export function* usualSummaries(): Generator<Rehearsed> {
  const texts = new Set<string>();
  for (const time of ["createdAt", "updatedAt"] as const)
    for (const bucketMs of stretches)
      for (const { areApart, ...filters } of lanes) {
        const search = { ...filters, [time === "createdAt" ? "created" : "updated"]: range };
        const buckets = bucketMs === undefined ? undefined : { time, bucketMs };
        const apart = { lanes: areApart, states: true };
        const asked = askedOf(search as StoreSearch, time, buckets, apart);
        const { statement, values } = timesStatement(asked, false);
        if (texts.has(statement.text)) continue;
        texts.add(statement.text);
        yield { statement, values, planning: planningOnce };
      }
}
