/** The hidden `dure complete -- words…`: what may stand in place of the last word, for the scripts of the shells. */
import type { Argument, Command, Option } from "commander";
import { type Offer, type Source, sourceOf } from "./completion-values.ts";
import { Context } from "./context.ts";
import { plainLine } from "./text.ts";

/** Whoever presses a key does not wait longer than this for the database. */
const readMaxMs = 1_500;
/** Asks the shell for names of files. */
const filesWord = ":files";

/** Where the last word stands. */
interface Place {
  /** The command, or the program itself where none is named yet. */
  command: Command;
  /** Words before the last that are neither options nor their values. */
  argumentsBefore: number;
  /** The option whose value the last word is. */
  option?: Option;
  /** What is given of the value, and what stands before it in the word: `--type=`. */
  begun: string;
  before: string;
  /** Flags that were given already. */
  given: ReadonlySet<string>;
  database: string | undefined;
  /** After `--`, nothing is an option. */
  isPlain: boolean;
}

/** Prints a line for each word that fits; nothing when anything goes wrong. */
export async function printCompletions(program: Command, args: readonly string[]): Promise<void> {
  const words = args[0] === "--" ? args.slice(1) : args;
  const place = placeOf(program, words.length > 0 ? words : [""]);
  const lines = (await offersAt(program, place).catch(() => [])).map(lineOf);
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
}

function lineOf({ text, detail }: Offer): string {
  return detail === undefined || detail === "" ? text : `${text}\t${plainLine(detail)}`;
}

function placeOf(program: Command, words: readonly string[]): Place {
  let command = program;
  let argumentsBefore = 0;
  let awaiting: Option | undefined;
  let database: string | undefined;
  let isPlain = false;
  const given = new Set<string>();
  for (const word of words.slice(0, -1)) {
    if (awaiting) {
      if (awaiting.long === "--database") database = word;
      awaiting = undefined;
    } else if (word === "--") isPlain = true;
    else if (word.startsWith("-") && word !== "-" && !isPlain) {
      const met = optionOf(program, command, word);
      if (met?.long) given.add(met.long);
      if (met?.required && !word.includes("=")) awaiting = met;
      if (met?.long === "--database" && word.includes("=")) database = word.slice(word.indexOf("=") + 1);
    } else if (command === program) command = program.commands.find((one) => one.name() === word) ?? program;
    else argumentsBefore += 1;
  }
  const last = words.at(-1)!;
  const inWord = /^(--[\w-]+=)(.*)$/s.exec(last);
  const inline = awaiting || !inWord || isPlain ? undefined : optionOf(program, command, last);
  const option = awaiting ?? inline;
  return {
    command,
    argumentsBefore,
    ...(option && { option }),
    begun: inline ? inWord![2]! : last,
    before: inline ? inWord![1]! : "",
    given,
    database,
    isPlain,
  };
}

function optionOf(program: Command, command: Command, word: string): Option | undefined {
  const flag = word.split("=", 1)[0];
  return [...command.options, ...program.options].find(({ long, short }) => long === flag || short === flag);
}

async function offersAt(program: Command, place: Place): Promise<Offer[]> {
  const { command, option, begun, isPlain } = place;
  if (option) {
    const choices = option.argChoices;
    const source = choices ? wordsSource(choices) : sourceOf(command.name(), option.long ?? "");
    return valuesOf(source, place);
  }
  if (begun.startsWith("-") && !isPlain) return fitting(flagsAt(program, place), begun);
  if (command === program) return fitting(commandsOf(program), begun);
  if (command.name() === "help") return fitting(commandsOf(program), begun);
  const argument = argumentAt(command, place.argumentsBefore);
  if (!argument) return [];
  const choices = argument.argChoices;
  return valuesOf(choices ? wordsSource(choices) : sourceOf(command.name(), argument.name()), place);
}

function wordsSource(words: readonly string[]): Source {
  return { kind: "words", words };
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic ? last : undefined);
}

function commandsOf(program: Command): Offer[] {
  const all = program.commands.map((command) => ({ text: command.name(), detail: command.summary() }));
  return [...all, { text: "help", detail: "print the help of a command" }];
}

/** Those of the command, then those of all; one that was given comes again only where it may be given several times. */
function flagsAt(program: Command, { command, given }: Place): Offer[] {
  const options = command === program ? program.options : [...command.options, ...program.options];
  return [...options, { long: "--help", description: "print this help" } as Option]
    .filter(({ long, hidden, parseArg }) => long && !hidden && (!given.has(long) || parseArg !== undefined))
    .map(({ long, description }) => ({ text: long!, detail: description }));
}

async function valuesOf(source: Source | undefined, place: Place): Promise<Offer[]> {
  if (!source) return [];
  if (source.kind === "files") return [{ text: filesWord }];
  const comma = source.list ? place.begun.lastIndexOf(",") + 1 : 0;
  const [earlier, begun] = [place.begun.slice(0, comma), place.begun.slice(comma)];
  const offers =
    source.kind === "words"
      ? source.words.map((text) => ({ text }))
      : await readWithin((dure) => source.read(dure, begun), place.database);
  const taken = new Set(earlier.split(","));
  return fitting(
    offers.filter(({ text }) => !taken.has(text)),
    begun,
  ).map((offer) => ({ ...offer, text: `${place.before}${earlier}${offer.text}` }));
}

type Reading = (dure: ReturnType<Context["open"]>) => Promise<Offer[]>;

/** Nothing when the database is not there, or does not answer in time. The process ends with what is still open. */
async function readWithin(read: Reading, database: string | undefined): Promise<Offer[]> {
  const context = await Context.load({ ...(database !== undefined && { database }) });
  const late = new Promise<Offer[]>((done) => setTimeout(done, readMaxMs, []));
  return Promise.race([read(context.open()), late]);
}

/** A text with a line break in it cannot be one line of the answer. */
function fitting(offers: readonly Offer[], begun: string): Offer[] {
  return offers.filter(({ text }) => text.startsWith(begun) && text === plainLine(text));
}
