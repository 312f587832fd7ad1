/** Does nothing, and says how late its event loop was, as soon as it is asked. See event-loop.ts. */
import { once } from "node:events";
import { eventLoopDelay } from "./event-loop.ts";

process.send?.("ready");
const { p99 } = await eventLoopDelay(() => once(process, "message"));
process.send?.(p99);
process.disconnect?.();
