/** Searches of a month of tasks, as bench/postgres/fill.ts makes it. */
import { ulidStart } from "../../server/tasks/core/ids.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import { newSearch } from "./builders.ts";

const dayMs = 86_400_000;

/** Every combination of filters and orders. */
export function* everySearch(): Generator<StoreSearch> {
  const middle = Date.now() - 15 * dayMs;
  const within = [undefined, { start: middle }, { start: middle, end: middle + dayMs }];
  const places = [
    undefined,
    { value: middle, id: "order-50001" },
    { value: middle, id: `${ulidStart(middle)}ABCDEFGHJKMNPQRS` },
  ];
  const statuses = [undefined, ["RUNNING"], ["PENDING"], ["COMPLETED", "FAILED", "RUNNING"]] as const;
  for (const types of [undefined, ["type-0"], ["type-3", "type-7", "nothing"]])
    for (const status of statuses)
      for (const queues of [undefined, ["mail"], ["mail", "default"]])
        for (const created of within)
          for (const updated of within)
            for (const sortBy of ["createdAt", "updatedAt", "id"] as const)
              for (const descending of [true, false])
                for (const after of places)
                  yield newSearch({
                    ...(types && { types }),
                    ...(status && { statuses: status }),
                    ...(queues && { queues }),
                    ...(created && { created }),
                    ...(updated && { updated }),
                    ...(after && { after: { ...after, backwards: false } }),
                    sortBy,
                    descending,
                  });
}
