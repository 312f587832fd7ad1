/** Records of the audit log as both stores keep them. */
import type { AuditRecord } from "../core/store.ts";

export const columns = "id, at, action, kind, target, type, who, via, address, request_id, before, after";

export type AuditRow = [
  id: string,
  at: number,
  action: AuditRecord["action"],
  kind: AuditRecord["kind"],
  target: string,
  type: string | null,
  who: string | null,
  via: AuditRecord["via"],
  address: string | null,
  requestId: string | null,
  before: string | null,
  after: string | null,
];

export function toRecord(row: AuditRow): AuditRecord {
  const [id, at, action, kind, target, type, who, via, address, requestId, before, after] = row;
  return {
    ...{ id, at: new Date(at), action, kind, target, via },
    ...(type !== null && { type }),
    ...(who !== null && { who }),
    ...(address !== null && { address }),
    ...(requestId !== null && { requestId }),
    ...(before !== null && { before: JSON.parse(before) }),
    ...(after !== null && { after: JSON.parse(after) }),
  };
}
