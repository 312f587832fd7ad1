/**
 * Settlements on their way to the writing thread, and its answers on their way back. Completions without result and
 * logs travel as a few groups, each of which is one string here and one statement there; all else goes row by row.
 */
import type { Settled, Settlement } from "../../../core/store.ts";
import type { TaskRef } from "../claimed-task.ts";
import type { CompletedGroup, SettledBatch, SettledRow, SettlementBatch, SettlementRow } from "../settle.ts";
import { toSettlementRow } from "./outgoing.ts";

interface Group {
  workerId: string;
  lane: number;
  fence: number;
  /** JSON members, `"id":seq`. */
  members: string[];
  settlements: Settlement[];
  readonly type: string;
  readonly minutes: number[];
  readonly times: number[];
}

const completed: Settled = Object.freeze({ kind: "settled", status: "COMPLETED" });

export class OutgoingSettlements {
  readonly #settlements: readonly Settlement[];
  readonly #groups: Group[] = [];
  readonly #rows: SettlementRow[] = [];

  constructor(settlements: readonly Settlement[]) {
    this.#settlements = settlements;
    for (const settlement of settlements) {
      if (isPlain(settlement)) this.#add(settlement);
      else this.#rows.push(toSettlementRow(settlement));
    }
  }

  batch(): SettlementBatch {
    const groups = this.#groups.map(
      ({ workerId, lane, fence, minutes, members, type, times }): CompletedGroup => [
        workerId,
        lane,
        fence,
        minutes,
        members.length,
        `{${members.join()}}`,
        type,
        times,
      ],
    );
    return { groups, rows: this.#rows };
  }

  /** The answers in the order of the settlements. */
  answers({ groups, rows }: SettledBatch): Settled[] {
    if (rows.length === 0 && groups.every((group) => group === 0)) {
      return new Array<Settled>(this.#settlements.length).fill(completed);
    }
    const byGroup = this.#groups.map((group, index) => ({ ...group, answers: answersOf(groups[index]!) }));
    const inGroups = new Map<Settlement, Settled>();
    for (const { settlements, answers } of byGroup) {
      for (const settlement of settlements)
        inGroups.set(settlement, answers?.get(settlement.taskId) ?? completed);
    }
    let row = 0;
    return this.#settlements.map((settlement) => inGroups.get(settlement) ?? toSettled(rows[row++]!));
  }

  #add(settlement: Settlement): void {
    const { seq, minute, startedAt, waitMs } = settlement.ref as TaskRef;
    const group = this.#groupOf(settlement);
    group.members.push(`${JSON.stringify(settlement.taskId)}:${seq}`);
    group.settlements.push(settlement);
    // Tasks that were stored and claimed together come one after another.
    const { minutes, times } = group;
    if (minutes.at(-2) === minute) minutes[minutes.length - 1]! += 1;
    else minutes.push(minute, 1);
    const last = times.length - 1;
    if (times[last - 2] === startedAt && times[last - 1] === waitMs) times[last]! += 1;
    else times.push(startedAt, waitMs, 1);
  }

  /** Most tasks of a batch are of one lane and in their first attempt, so the latest group is most often the one. */
  #groupOf({ ref, workerId, fence }: Settlement): Group {
    const { lane, type } = ref as TaskRef;
    const isOne = (group: Group | undefined) =>
      group?.lane === lane && group.fence === fence && group.workerId === workerId;
    const latest = this.#groups.at(-1);
    if (isOne(latest)) return latest!;
    const found = this.#groups.find(isOne);
    if (found) return found;
    const group: Group = {
      ...{ workerId, lane, fence, type },
      ...{ members: [], settlements: [], minutes: [], times: [] },
    };
    this.#groups.push(group);
    return group;
  }
}

function isPlain({ outcome, result, logs, attributes }: Settlement): boolean {
  return (
    outcome === "completed" &&
    result === undefined &&
    attributes === undefined &&
    (logs === undefined || logs.length === 0)
  );
}

function answersOf(answer: SettledBatch["groups"][number]): Map<string, Settled> | undefined {
  return answer === 0 ? undefined : new Map(answer.map(([id, settled]) => [id, toSettled(settled)]));
}

function toSettled(row: SettledRow): Settled {
  return row === 0 ? completed : row;
}
