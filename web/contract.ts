/** The shapes that the API answers with. */
import type { Status } from "../server/http/contract.ts";

export type * from "../server/http/contract.ts";

export const statuses: readonly Status[] = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"];
