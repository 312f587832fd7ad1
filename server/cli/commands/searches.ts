/** `dure searches`: queries under a name, and the alerts that watch them. */
import type { Command } from "commander";
import { DureError } from "../../tasks/core/errors.ts";
import { didYouMean } from "../../tasks/core/names.ts";
import type {
  AlertRule,
  AlertTask,
  SavedSearch,
  SaveSearchOptions,
} from "../../tasks/core/saved-searches.ts";
import { given, parseChoice, parseInteger, parsePayload } from "../arguments.ts";
import { type Action, type Context, withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import type { Column } from "../table.ts";
import { renderTable } from "../table.ts";
import { counted, formatCount } from "../text.ts";
import { formatRelative, parseSpan } from "../times.ts";

interface Options {
  description?: string;
  alertOver?: string;
  alertUnder?: string;
  for?: string;
  enqueue?: string;
  payload?: string;
  recovered?: string;
  recoveredPayload?: string;
  /** False with --no-alert. */
  alert: boolean;
}

const actions = ["list", "save", "delete"] as const;

/** Adds the command. */
export function addSearches(program: Command): void {
  program
    .command("searches")
    .summary("queries saved under a name, and their alerts")
    .description(
      "Lists the saved searches, saves one or deletes one. @name stands for a saved search wherever a query is taken. " +
        "With an alert, workers count it every 30 seconds and enqueue a task, once, when the count is out of bounds. " +
        "Of a search that is saved again, what is left out stays as it was.",
    )
    .argument("[action]", "list, save or delete (default: list)")
    .argument("[name]", "1 to 64 letters, digits and . _ : / -")
    .argument("[query...]", "with save: what it stands for")
    .option("--description <text>", "what it is for")
    .option("--alert-over <n>", "out of bounds above this many tasks")
    .option("--alert-under <n>", "out of bounds below this many tasks")
    .option("--for <duration>", "for this long without a break (default: at the first look)")
    .option("--enqueue <type>", "the task to enqueue then")
    .option("--payload <json>", "of that task, an object (default: as it was saved for this type)")
    .option("--recovered <type>", "the task to enqueue when the count is back")
    .option("--recovered-payload <json>", "of that task, likewise")
    .option("--no-alert", "take the alert away")
    .addHelpText(
      "after",
      `
Examples:
  dure searches save stuck 'type:send-receipt status:pending created:<10m'
  dure search '@stuck queue:mail'
  dure searches save bad status:failed --alert-over 9 --for 5m --enqueue page
  dure searches delete stuck`,
    )
    .action(withContext(searches));
}

const searches: Action<Options> = async (context, options, [word = "list", name, ...query]) => {
  const action = parseChoice(word, actions, "The action");
  if (action === "list") return list(context, name);
  if (name === undefined) throw new CommandError(`"dure searches ${action}" needs the name of a search.`);
  if (action === "save") return save(context, name, query.join(" "), options);
  await context.open().deleteSearch(name, { by: context.by });
  context.output.document({ deleted: name });
  context.output.note(`Deleted the saved search ${name}.`);
};

/** All, or the one of that name. */
async function list(context: Context, name: string | undefined): Promise<void> {
  const all = await context.open().listSearches();
  const shown = name === undefined ? all : all.filter((search) => search.name === name);
  if (name !== undefined && shown.length === 0) {
    const near = didYouMean(
      name,
      all.map((search) => search.name),
    );
    throw new DureError("SEARCH_NOT_FOUND", `No search is saved as "${name}".${near}`, { details: { name } });
  }
  const { output } = context;
  output.document(shown);
  if (shown.length > 0) output.print(renderTable(output, columns(output, Date.now()), shown));
  if (shown.length > 0) output.note(`${counted(shown.length, "saved search", "saved searches")}.`);
  else output.note(`No search is saved yet. "dure searches save <name> '<query>'" saves one.`);
}

async function save(context: Context, name: string, query: string, options: Options): Promise<void> {
  if (query.trim() === "")
    throw new CommandError(
      `"dure searches save ${name}" needs a query, in single quotes: 'status:failed type:resize-image'.`,
    );
  const dure = context.open();
  const changes = changesOf(options);
  if (changes.alert) {
    const earlier = (await dure.listSearches()).find((search) => search.name === name)?.alert;
    changes.alert = withPayloads(changes.alert, earlier);
  }
  const saved = await dure.saveSearch(name, { query, ...changes, by: context.by });
  const { output } = context;
  output.document(saved);
  output.print(`@${saved.name}`);
  output.note(saved.alert ? `Saved, with an alert ${alertText(saved.alert)}.` : "Saved.");
}

function changesOf(options: Options): Omit<SaveSearchOptions, "query"> {
  const alert = options.alert ? alertOf(options) : null;
  return {
    ...given(options.description, (description) => ({
      description: description === "" ? null : description,
    })),
    ...(alert !== undefined && { alert }),
  };
}

function alertOf(options: Options): AlertRule | undefined {
  const { alertOver, alertUnder, for: span, enqueue, payload, recovered, recoveredPayload } = options;
  if (alertOver === undefined && alertUnder === undefined) {
    if ([span, enqueue, payload, recovered, recoveredPayload].every((text) => text === undefined))
      return undefined;
    throw new CommandError("An alert needs a bound: --alert-over <n> or --alert-under <n>.");
  }
  if (enqueue === undefined) throw new CommandError("An alert needs the task to enqueue: --enqueue <type>.");
  if (recovered === undefined && recoveredPayload !== undefined)
    throw new CommandError("--recovered-payload needs the task it is of: --recovered <type>.");
  if (span !== undefined) parseSpan(span, "--for");
  return {
    ...given(alertOver, (text) => ({ over: parseInteger(text, "--alert-over") })),
    ...given(alertUnder, (text) => ({ under: parseInteger(text, "--alert-under") })),
    ...given(span, (text) => ({ for: text })),
    enqueue: taskOf(enqueue, payload, "--payload"),
    ...given(recovered, (type) => ({ recovered: taskOf(type, recoveredPayload, "--recovered-payload") })),
  };
}

/** What the payload may be, the store says. */
function taskOf(type: string, json: string | undefined, option: string): AlertTask {
  return {
    type,
    ...given(json, (text) => ({ payload: parsePayload(text, option) as AlertTask["payload"] })),
  };
}

/** A payload that is left out stays as it was, for the same type only. */
function withPayloads(
  { enqueue, recovered, ...bounds }: AlertRule,
  earlier: AlertRule | undefined,
): AlertRule {
  const kept = (task: AlertTask, before: AlertTask | undefined): AlertTask =>
    task.payload === undefined && before?.type === task.type ? before : task;
  return {
    ...bounds,
    enqueue: kept(enqueue, earlier?.enqueue),
    ...(recovered && { recovered: kept(recovered, earlier?.recovered) }),
  };
}

/** `over 100 for 5m → call-somebody`. */
function alertText({ over, under, for: span, enqueue }: AlertRule): string {
  const bounds = [
    ...(over === undefined ? [] : [`over ${formatCount(over)}`]),
    ...(under === undefined ? [] : [`under ${formatCount(under)}`]),
  ];
  return `${bounds.join(" or ")}${span ? ` for ${typeof span === "number" ? `${span}ms` : span}` : ""} → ${enqueue.type}`;
}

function stateText({ alert, alertState }: SavedSearch, now: number): string | undefined {
  if (!alert) return undefined;
  if (!alertState) return "not looked at yet";
  const { count, since, enqueuedAt, lastEnqueuedAt, problem, checkedAt } = alertState;
  if (problem !== undefined) return `failed: ${problem}`;
  const found = count === undefined ? "counting" : formatCount(count);
  if (enqueuedAt) return `${found}, alerted ${formatRelative(enqueuedAt, now)}`;
  const last = lastEnqueuedAt ? `, alerted last ${formatRelative(lastEnqueuedAt, now)}` : "";
  return since
    ? `${found}, out of bounds since ${formatRelative(since, now)}${last}`
    : `${found}, ${formatRelative(checkedAt, now)}${last}`;
}

function columns(output: Output, now: number): Column<SavedSearch>[] {
  return [
    { head: "name", cell: ({ name }) => name },
    { head: "query", cell: ({ query }) => query, flexible: true },
    { head: "alert", cell: ({ alert }) => alert && alertText(alert), flexible: true, optional: true },
    {
      head: "count",
      cell: (search) => stateText(search, now),
      paint: (text, { alertState }) =>
        alertState?.enqueuedAt || alertState?.problem ? output.colors.red(text) : text,
      flexible: true,
      optional: true,
    },
    {
      head: "description",
      cell: ({ description }) => description,
      paint: (text) => output.colors.dim(text),
      flexible: true,
      optional: true,
      below: true,
    },
  ];
}
