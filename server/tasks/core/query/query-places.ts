/** Which places payloads and results have, as a query names them: of the newest tasks, for completion. */
import type { StoreSearch, TaskStore } from "../store.ts";
import { quote, tokensSoFar, unescaped } from "./query-lexer.ts";

const tasksMax = 20;
const depthMax = 4;
const itemsMax = 3;
const placesMax = 200;
const bytesMax = 256 * 1024;

/** What the word before the caret asks for a place of; undefined for other words. */
export function placedIn(text: string, position: number): "payload" | "result" | undefined {
  const word = /(?:^|[\s(-])(payload|result)\.[^\s:()]*$/i.exec(text.slice(0, position))?.[1]?.toLowerCase();
  return word === "payload" || word === "result" ? word : undefined;
}

/** `payload.user.id` of the newest tasks, of the types that the query asks for, if any. */
export async function placesOf(
  store: TaskStore,
  text: string,
  of: "payload" | "result",
  latest: StoreSearch,
): Promise<string[]> {
  const types = typesIn(text);
  const asked: StoreSearch = { ...latest, limit: tasksMax, bytesMax, ...(types.length > 0 && { types }) };
  const { tasks } = await store.searchTasks(of === "payload" ? asked : { ...asked, statuses: ["COMPLETED"] });
  const places = new Set<string>();
  for (const task of tasks) addPlaces(places, of, task[of], 1);
  return [...places];
}

/** Those that stand alone after `type:`. */
function typesIn(text: string): string[] {
  const tokens = tokensSoFar(text);
  return tokens.flatMap(({ state, name, text: written }, index) => {
    const isAlone = tokens[index + 1]?.state !== "value" && tokens[index - 1]?.text.toLowerCase() === "type:";
    return isAlone && state === "value" && (name === "value" || name === "quoted") ? unescaped(written) : [];
  });
}

/** A list stands for each of its items. */
function addPlaces(places: Set<string>, path: string, value: unknown, depth: number): void {
  if (places.size >= placesMax || value === null || value === undefined) return;
  if (Array.isArray(value)) {
    for (const item of value.slice(0, itemsMax)) addPlaces(places, path, item, depth);
  } else if (typeof value === "object" && isPlain(value)) {
    if (depth > depthMax) return;
    for (const [key, below] of Object.entries(value)) {
      if (key !== "" && !key.includes(".")) addPlaces(places, `${path}.${keyOf(key)}`, below, depth + 1);
    }
  } else if (path.includes(".")) places.add(path);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function keyOf(key: string): string {
  return /^[\p{L}\p{N}_$-]+$/u.test(key) ? key : quote(key);
}
