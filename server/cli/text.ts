/**
 * Text from the database is anybody's: it may hold escape sequences that move the cursor, links that lie, and signs
 * that turn the direction of writing. Everything of it that reaches a terminal comes through here.
 */
import { stripVTControlCharacters } from "node:util";
import { grouped } from "../tasks/core/grouped.ts";

/** Signs that change the direction of writing, and tags, which no terminal shows. */
const hiddenSigns = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** A string that a terminal takes and does not show (OSC, DCS, SOS, PM, APC), ended or not. */
const terminalString =
  /(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?/g;

/** Several lines, without anything a terminal would obey; tabs become two spaces. */
export function plainLines(text: string): string {
  return stripVTControlCharacters(text.replaceAll(terminalString, ""))
    .replaceAll(/\r\n?|[\u0085\u2028\u2029]/g, "\n")
    .replaceAll("\t", "  ")
    .replaceAll(control, "")
    .replaceAll(hiddenSigns, "")
    .toWellFormed();
}

/** The same on one line. */
export function plainLine(text: string): string {
  return plainLines(text)
    .replaceAll(/\s*\n\s*/g, " ")
    .trim();
}

/** JSON, indented, with what could still act on a terminal written as escapes, so that it means the same. */
export function jsonText(value: unknown, indentation = 2): string {
  return (JSON.stringify(value, null, indentation) ?? "null").replaceAll(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/gu,
    escaped,
  );
}

function escaped(sign: string): string {
  return Array.from({ length: sign.length }, (_, index) => {
    return `\\u${sign.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }).join("");
}

/** Every line moved to the right. */
export function indent(text: string, by = "  "): string {
  return text.replaceAll(/^(?=.)/gm, by);
}

/** `1 task`, `2 tasks`, `1,000 tasks`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

export function formatCount(count: number): string {
  return grouped(count);
}

const sizeUnits = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `512 B`, `1.5 KiB`, `12 MiB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(sizeUnits.length - 1, Math.floor(Math.log2(bytes) / 10));
  const size = bytes / 1024 ** power;
  return `${power === 0 || size >= 100 ? Math.round(size) : Math.round(size * 10) / 10} ${sizeUnits[power]}`;
}
