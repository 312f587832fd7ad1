/** Answers with their instants as Dates, by the names of the keys: the API writes all of them in one form. */
const instantKey = /^(?:at|since|until|from|to|since|start|end|minute|hour|day|searchedBackTo|.+At)$/;
const instantText = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
/** What is the user's own stays as it came. */
const opaqueKeys: ReadonlySet<string> = new Set([
  "payload",
  "result",
  "fields",
  "details",
  "payloadSchema",
  "before",
  "after",
]);

/** Changes the value in its place, and answers it. */
export function revive(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    for (const item of value) revive(item);
    return value;
  }
  const record = value as Record<string, unknown>;
  for (const [key, item] of Object.entries(record)) {
    if (opaqueKeys.has(key)) continue;
    if (typeof item === "string" && instantKey.test(key) && instantText.test(item))
      record[key] = new Date(item);
    else revive(item);
  }
  return value;
}
