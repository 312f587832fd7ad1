/** Names that other systems, other tools or plain English have for what a query names otherwise. */

const fields: Readonly<Record<string, string>> = {
  state: "status",
  "error.message": "error",
  "error.name": "error",
  message: "error",
  exception: "error",
  name: "type",
  kind: "type",
  job: "type",
  task: "type",
  tags: "tag",
  label: "tag",
  attempt: "attempts",
  tries: "attempts",
  retries: "attempts",
  runat: "due",
  scheduled: "due",
  finished: "completed",
  ended: "completed",
  failed: "completed",
  age: "created",
  took: "duration",
  elapsed: "duration",
  waited: "wait",
  host: "worker",
  fingerprint: "errorGroup",
  group: "errorGroup",
  order: "sort",
  orderby: "sort",
  sortby: "sort",
};
const anywhere = ["log", "logs", "stack", "any", "contains"];
const options = ["limit", "offset", "cursor", "budget", "top"];
const places: Readonly<Record<string, string>> = {
  input: "payload",
  args: "payload",
  data: "payload",
  params: "payload",
  body: "payload",
  output: "result",
  return: "result",
  returnvalue: "result",
};

/** What to write in place of `name:`, in a sentence; undefined for a name that says nothing. */
export function knownOtherwise(name: string): string | undefined {
  const word = name.toLowerCase();
  if (Object.hasOwn(fields, word)) return `It is called ${fields[word]} here: ${fields[word]}:….`;
  if (anywhere.includes(word)) return "A text is found wherever it stands, logs too, by itself in quotes.";
  if (options.includes(word)) return `${word} is an option of the search, and no part of a query.`;
  if (word.includes("[")) return `A place in a list is written like ${word.replace(/\[(\w*)\]/g, ".$1")}:….`;
  const head = word.split(".")[0]!;
  if (!Object.hasOwn(places, head)) return undefined;
  return `It is called ${places[head]} here: ${places[head]}${name.slice(head.length) || ".…"}:….`;
}
