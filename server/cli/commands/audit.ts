/** `dure audit`: who asked for which change. */
import type { Command } from "commander";
import type { AuditOptions } from "../../tasks/core/audit.ts";
import { type AuditRecord, auditActions, vias } from "../../tasks/core/port/store-audit.ts";
import { collectWhole, given, parseChoice, parseInteger } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import type { Output } from "../output.ts";
import type { Column } from "../table.ts";
import { renderTable } from "../table.ts";
import { formatInstant, parseTime } from "../times.ts";

const limitMax = 1_000;

interface Options {
  who?: string;
  action?: string[];
  via?: string;
  from?: string;
  to?: string;
  limit?: string;
  cursor?: string;
}

/** Adds the command. */
export function addAudit(program: Command): void {
  program
    .command("audit")
    .summary("who cancelled, retried, paused or changed what")
    .description(
      "Lists the audit log, newest first: each change that somebody asked for, by whom, when, and from where. With a " +
        "target only what was done to that.",
    )
    .argument("[target]", "the id of a task, or the name of a type, queue or saved search")
    .option("--who <name>", "only what this one asked for, by the whole name")
    .option("-a, --action <action>", "only these actions; may be given several times", collectWhole)
    .option("--via <place>", "only from code, cli, http, dashboard or worker")
    .option("--from <date>", "not before this instant")
    .option("--to <date>", "before this instant")
    .option("-n, --limit <n>", "at most so many, up to 1,000 (default: 50)")
    .option("--cursor <cursor>", "the page after; the previous one printed it")
    .addHelpText(
      "after",
      `
Examples:
  dure audit
  dure audit order-17
  dure audit --who anna --action delete --from 2026-11-01
  dure audit --json | jq '.records[].who'`,
    )
    .action(withContext(audit));
}

const audit: Action<Options> = async (context, options, [target]) => {
  const page = await context
    .open()
    .readAudit({ ...optionsOf(options), ...given(target, (id) => ({ target: id })) });
  const { output } = context;
  output.document(page);
  if (page.records.length > 0) output.print(renderTable(output, columns(output), page.records));
  else
    output.note(
      page.complete ? "Nothing of the kind is in the audit log." : "Nothing of the kind was found so far.",
    );
  if (page.searchedBackTo)
    output.note(
      `The log was looked through back to ${formatInstant(page.searchedBackTo)}. The cursor goes on from there.`,
    );
  if (page.nextCursor !== undefined) output.note(`Next page: add --cursor ${page.nextCursor}`);
};

function optionsOf({ who, action, via, from, to, limit, cursor }: Options): AuditOptions {
  return {
    ...given(who, (name) => ({ who: name })),
    ...given(action, (names) => ({
      actions: names.map((name) => parseChoice(name, auditActions, "--action")),
    })),
    ...given(via, (place) => ({ via: parseChoice(place, vias, "--via") })),
    ...given(from, (text) => ({ start: parseTime(text, "--from") })),
    ...given(to, (text) => ({ end: parseTime(text, "--to") })),
    ...given(limit, (text) => ({ limit: parseInteger(text, "--limit", 1, limitMax) })),
    ...given(cursor, (text) => ({ cursor: text })),
  };
}

function columns(output: Output): Column<AuditRecord>[] {
  return [
    { head: "at", cell: ({ at }) => formatInstant(at) },
    { head: "who", cell: ({ who }) => who ?? "-", flexible: true },
    { head: "via", cell: ({ via }) => via },
    { head: "action", cell: ({ action }) => action },
    { head: "of", cell: ({ kind }) => kind },
    { head: "target", cell: ({ target }) => target },
    {
      head: "what changed",
      cell: changeText,
      paint: (text) => output.colors.dim(text),
      flexible: true,
      optional: true,
      below: true,
    },
  ];
}

/** `status PENDING → CANCELLED`. */
function changeText({ before = {}, after = {} }: AuditRecord): string {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .map((name) => [before[name], after[name]].filter((value) => value !== undefined).map(valueText))
    .map((values, index) => `${names[index]} ${values.join(" → ")}`)
    .join(", ");
}

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
