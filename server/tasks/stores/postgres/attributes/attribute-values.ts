/**
 * Attribute values as keys: `<number> <value>`, a text whose bytes sort as the values do, with one letter before the
 * value for its type, so that 1, "1" and true differ. Equality, ranges and prefixes are all ranges of keys.
 *
 * No index holds a text of any length. A long text has two keys: its beginning with a digest, which the index has, and
 * all of it, with a letter of its own, which only the task has, for what its beginning does not tell.
 */
import { createHash } from "node:crypto";
import type { AttributeKey, Attributes } from "../../../core/store.ts";
import { arrayText } from "../arrays.ts";

/** Greater than every character of a value. */
export const lastCharacter = "\u{10ffff}";
/** Keys longer than this, in characters, are cut. */
const wholeMax = 264;
export const headSize = 200;
/** In characters: the head, a character that none is greater than, and a digest. No key that was not cut is as long. */
const cutSize = headSize + 1 + 64;

/** The key of one value. */
export function keyOf(attribute: number, value: AttributeKey): string {
  return `${attribute} ${letterOf(value)}${encoded(value)}`;
}

/** What all keys of this attribute and type of value begin with. */
export function keyStart(attribute: number, type: AttributeKey): string {
  return `${attribute} ${letterOf(type)}`;
}

function letterOf(value: AttributeKey): string {
  if (typeof value === "number") return "n";
  return typeof value === "boolean" ? "b" : "s";
}

function encoded(value: AttributeKey): string {
  if (typeof value === "number") return sortable(value);
  if (typeof value === "boolean") return value ? "1" : "0";
  return escaped(value).toWellFormed();
}

/** PostgreSQL's text cannot hold U+0000: it becomes U+0001 twice, and U+0001 itself U+0001 and U+0002. The order stays. */
function escaped(text: string): string {
  if (!low.test(text)) return text;
  return text.replace(lows, (character) => (character === "\0" ? "\x01\x01" : "\x01\x02"));
}

function unescaped(text: string): string {
  if (!low.test(text)) return text;
  return text.replace(lowPairs, (_, second: string) => (second === "\x01" ? "\0" : "\x01"));
}

const low = /[\0\x01]/;
const lows = /[\0\x01]/g;
const lowPairs = /\x01([\x01\x02])/g;

const number = new DataView(new ArrayBuffer(8));

/** The number's bits in 16 hexadecimal digits, so that greater numbers are greater texts. */
function sortable(value: number): string {
  // -0 equals 0.
  number.setFloat64(0, value + 0);
  flip(value < 0);
  return digits(number.getUint32(0)) + digits(number.getUint32(4));
}

function unsortable(text: string): number {
  number.setUint32(0, Number.parseInt(text.slice(0, 8), 16));
  number.setUint32(4, Number.parseInt(text.slice(8), 16));
  // Of a negative number every bit was turned.
  flip(number.getUint32(0) >>> 31 === 0);
  return number.getFloat64(0);
}

/** Turns the sign, or every bit. */
function flip(all: boolean): void {
  number.setUint32(0, number.getUint32(0) ^ (all ? 0xffff_ffff : 0x8000_0000));
  if (all) number.setUint32(4, number.getUint32(4) ^ 0xffff_ffff);
}

function digits(word: number): string {
  return word.toString(16).padStart(8, "0");
}

/** The number of the attribute and its value; no value for a key that was cut. */
export function readKey(key: string): { attribute: number; value: AttributeKey | undefined } {
  const space = key.indexOf(" ");
  const attribute = Number(key.slice(0, space));
  const text = key.slice(space + 2);
  const letter = key[space + 1];
  if (letter === "n") return { attribute, value: unsortable(text) };
  if (letter === "b") return { attribute, value: text === "1" };
  const isCut = letter === "s" && key.length >= cutSize && [...key].length === cutSize;
  return { attribute, value: isCut ? undefined : unescaped(text) };
}

/** The value of a key, or of one that was cut its beginning. */
export function headOf(key: string): AttributeKey {
  const { value } = readKey(key);
  return value ?? unescaped([...key].slice(key.indexOf(" ") + 2, headSize).join(""));
}

/** The keys of a task, each once. @param numberOf the number of an attribute of this name */
export function keysOf(attributes: Attributes, numberOf: (name: string) => number): string[] {
  const keys: string[] = [];
  for (const name in attributes) {
    const number = numberOf(name);
    const given = attributes[name]!;
    if (typeof given !== "object") addKey(keys, number, given);
    else for (const value of given) addKey(keys, number, value);
  }
  return keys.length > 1 ? [...new Set(keys)] : keys;
}

function addKey(keys: string[], attribute: number, value: AttributeKey): void {
  const key = keyOf(attribute, value);
  const found = foundKeyOf(key);
  keys.push(found);
  if (found !== key) keys.push(wholeKeyOf(key));
}

/** The key as the index has it. */
export function foundKeyOf(key: string): string {
  if (key.length <= wholeMax) return key;
  const characters = [...key];
  if (characters.length <= wholeMax) return key;
  const digest = createHash("sha256").update(key).digest("hex");
  return characters.slice(0, headSize).join("") + lastCharacter + digest;
}

/** All of a long text's key: with another letter, so that it is told from what the index has. */
function wholeKeyOf(key: string): string {
  return key.replace(" s", " S");
}

/** Whether the key was cut, in SQL. */
export function isCut(key: string): string {
  return `length(${key}) = ${cutSize}`;
}

/** Whether the index has the key. */
export function isFoundKey(key: string): boolean {
  return key.length <= cutSize || [...key].length <= cutSize;
}

/** The same in SQL. */
export function isFound(key: string): string {
  return `length(${key}) <= ${cutSize}`;
}

/** Texts as the server reads an array; null for none, which takes no room. */
export function arrayLiteral(texts: readonly string[] | undefined): string | null {
  return texts && texts.length > 0 ? arrayText(texts) : null;
}

/** What the keys of a task say, by name; several values of a name are a list. Unknown numbers are passed over. */
export function attributesOf(
  keys: readonly string[],
  nameOf: (attribute: number) => string | undefined,
): Attributes {
  const attributes: Record<string, AttributeKey | AttributeKey[]> = {};
  for (const key of keys) {
    const { attribute, value } = readKey(key);
    const name = nameOf(attribute);
    if (name === undefined || value === undefined) continue;
    const before = attributes[name];
    if (before === undefined) attributes[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else attributes[name] = [before, value];
  }
  return attributes;
}
