/** The main thread's end of a lease that the writing thread keeps. */
import type { Beat, LeaseHandle } from "../../../core/store.ts";
import type { ThreadLink } from "./thread-link.ts";

/** @param pulse see leases.ts */
export function leaseHandle(
  writer: ThreadLink,
  pulse: Int32Array,
  workerId: string,
  released: () => void,
): LeaseHandle {
  return {
    alive: (loopDelayMs = 0) => {
      Atomics.store(pulse, 1, Math.round(loopDelayMs));
      Atomics.add(pulse, 0, 1);
    },
    beat: (): Promise<Beat> => writer.call("beat", { workerId, loopDelayMs: Atomics.load(pulse, 1) }),
    release: async () => {
      released();
      await writer.request("releaseLease", workerId);
    },
  };
}
