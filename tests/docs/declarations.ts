/** The declarations of the published names, read from the built package, without comments. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./markdown.ts";

/** Every name that an entry of the package exports, in its order, with the file that declares it. */
export function exportedNames(
  entry: "index" | "types" | "http" | "client" | "postgres",
): Map<string, string> {
  const file = join(root, `dist/server/${entry}.d.ts`);
  const names = new Map<string, string>();
  const text = readFileSync(file, "utf8");
  for (const [, name] of text.matchAll(/^export (?:declare )?(?:interface|type|function|class) (\w+)/gm))
    names.set(name!, file);
  for (const [, list, path] of text.matchAll(/^export (?:type )?\{([^}]*)\} from "(.*?)\.ts";/gm)) {
    for (const name of list!.split(",")) {
      if (name.trim() !== "") names.set(name.trim(), join(dirname(file), `${path}.d.ts`));
    }
  }
  return names;
}

/** The declaration of a name, all overloads included. */
export function declarationOf(name: string, file: string): string {
  const text = withoutComments(readFileSync(file, "utf8"));
  const start = new RegExp(
    `^export (?:declare )?(?:interface|type|function|class|enum|const) ${name}\\b`,
    "gm",
  );
  const found = [...text.matchAll(start)].map(({ index }) => text.slice(index, endOf(text, index)));
  if (found.length === 0) throw new Error(`${name} is not declared in ${file}.`);
  return found.map((part) => part.replace(/^export (?:declare )?/, "")).join("\n");
}

/** The names of an interface's members. */
export function membersOf(declaration: string): string[] {
  return [...declaration.matchAll(/^ {2,4}(?:readonly )?(\w+)\??[:(<]/gm)].map(([, name]) => name!);
}

/** A text without what formatting may change. */
export function normalized(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/ ?([{}()[\]<>;,:|&?=]) ?/g, "$1")
    .replaceAll(/[,;]([})])/g, "$1")
    .replaceAll(/([=(:<])\|/g, "$1")
    .trim();
}

function withoutComments(text: string): string {
  return text.replaceAll(/^ *\/\*\*[\s\S]*?\*\/\n/gm, "").replaceAll(/^ *#private;\n/gm, "");
}

/** Up to the closing brace of a declaration with a body, else to its semicolon. */
function endOf(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at]!;
    if ("{([".includes(character)) depth += 1;
    else if ("})]".includes(character)) depth -= 1;
    if (depth > 0) continue;
    if (character === ";") return at + 1;
    if (character === "}" && text[at + 1] === "\n") return at + 1;
  }
  return text.length;
}
