/** Retention as it is typed: `[type:]status=limits`, each rule for itself, made into what createDure takes. */
import type { Kept, KeptByCount, RetentionOptions } from "../dure-options.ts";
import { durationProblem, parseDuration } from "../tasks/core/duration.ts";
import { didYouMean } from "../tasks/core/names.ts";
import { showValue } from "../tasks/core/values/show.ts";
import { collectWhole, parseChoice } from "./arguments.ts";
import { CommandError } from "./exit-codes.ts";
import { sizeOf } from "./sizes.ts";

export const retentionOption = [
  "--retention <rule>",
  "[type:]status=limits, such as failed=90d,2GB or 'report-*:all=forever'; may be given several times",
  collectWhole,
] as const;

const statuses = ["completed", "failed", "cancelled"] as const;
type Status = (typeof statuses)[number];
type Rules = Partial<Record<Status, Kept>>;

const countMax = 1_000_000_000;
const example = "Write it like failed=90d, all=30d,100000,2GB or 'report-*:completed=forever'.";

/**
 * Later rules of a status go before earlier ones, a status before `all`.
 * @throws CommandError
 */
export function parseRetention(texts: readonly string[]): Pick<RetentionOptions, Status | "types"> {
  const all: Rules = {};
  const types = new Map<string, Rules>();
  for (const { type, status, kept } of texts.map(parseRule).sort(byWidth)) {
    const rules = type === undefined ? all : (types.get(type) ?? {});
    if (type !== undefined) types.set(type, rules);
    for (const one of status === "all" ? statuses : [status]) rules[one] = kept;
  }
  return { ...all, ...(types.size > 0 && { types: Object.fromEntries(types) }) };
}

interface Rule {
  type: string | undefined;
  status: Status | "all";
  kept: Kept;
}

function byWidth(a: Rule, b: Rule): number {
  return Number(b.status === "all") - Number(a.status === "all");
}

function parseRule(text: string): Rule {
  const [, type, status = "", limits] = /^(?:(.+):)?([^:=]+)=([^=]+)$/s.exec(text) ?? [];
  if (limits === undefined) {
    throw new CommandError(`--retention is ${showValue(text)}; it must be [type:]status=limits. ${example}`);
  }
  const what = `The status of --retention ${showValue(text)}`;
  return { type, status: parseChoice(status, ["all", ...statuses], what), kept: keptOf(limits, text) };
}

function keptOf(limits: string, rule: string): Kept {
  const kept: KeptByCount = {};
  for (const limit of limits.split(",").map((part) => part.trim())) {
    const found = limitOf(limit, rule);
    const [twice] = Object.keys(found).filter((name) => name in kept);
    if (twice !== undefined) {
      const names = { age: "durations", count: "numbers of tasks", sizeBytes: "sizes" };
      throw new CommandError(
        `--retention ${showValue(rule)} has two ${names[twice as keyof KeptByCount]}; give one of them.`,
      );
    }
    Object.assign(kept, found);
  }
  return kept;
}

function limitOf(limit: string, rule: string): KeptByCount {
  if (limit === "forever") return { age: false };
  if (/^\d{1,10}$/.test(limit) && Number(limit) <= countMax) return { count: Number(limit) };
  const sizeBytes = sizeOf(limit);
  if (sizeBytes !== undefined) return { sizeBytes };
  if (/[a-z]$/i.test(limit) && durationProblem(limit, "") === undefined)
    return { age: parseDuration(limit, "--retention") };
  throw new CommandError(
    `--retention ${showValue(rule)}: ${showValue(limit)} is no limit. It must be a duration (30d) or forever, a number of ` +
      `tasks up to a thousand million (10000), or a size (2GB).${didYouMean(limit, ["forever"])}`,
  );
}

/** A rule of a type that nobody knows would keep nothing, or delete nothing. @throws CommandError with the nearest */
export function refuseUnknownTypes(
  { types = {} }: Pick<RetentionOptions, "types">,
  known: ReadonlySet<string>,
): void {
  for (const pattern of Object.keys(types)) {
    const start = pattern.endsWith("*") ? pattern.slice(0, -1) : undefined;
    if (start === undefined ? known.has(pattern) : [...known].some((type) => type.startsWith(start)))
      continue;
    const near = didYouMean(start ?? pattern, known);
    throw new CommandError(
      `--retention has a rule for "${pattern}", but no task of such a type is there.${near}`,
    );
  }
}
