/** docs/reference against the code, in both directions. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { exitCodes } from "../../server/cli/exit-codes.ts";
import { createProgram } from "../../server/cli/program.ts";
import { errorCodes } from "../../server/tasks/core/errors.ts";
import { commandHere } from "../support/command-here.ts";
import { root } from "../support/project.ts";
import { declarationOf, exportedNames, membersOf, normalized } from "./declarations.ts";
import { headingsOf, read, rowNamesOf, sectionsOf } from "./markdown.ts";

describe("api.md", () => {
  const file = "docs/reference/api.md";
  /** The titles of a level, of the whole page or of what a package's entry exports. */
  const titled = (level: number, entry: string) => {
    const headings = headingsOf(file);
    const start = headings.findIndex(({ title }) => title === `From \`${entry}\``);
    const after = headings.findIndex(({ level }, index) => index > start && level === 2);
    return headings
      .slice(level === 3 ? 0 : start, level === 3 || after < 0 ? headings.length : after)
      .filter((heading) => heading.level === level)
      .map(({ title }) => title.replaceAll("`", ""));
  };

  describe.each([
    ["dure", "index", 3],
    ["dure/http", "http", 4],
    ["dure/types", "types", 4],
  ] as const)("of %s", (name, entry, level) => {
    const names = exportedNames(entry);

    test("has one entry per exported name and no other", () => {
      expect(titled(level, name).sort()).toEqual([...names.keys()].sort());
    });

    test.each([...names])("has the signature of %s", (name, declaredIn) => {
      expect(signatureIn(file, level, name)).toBe(normalized(declarationOf(name, declaredIn)));
    });
  });
});

test.each(["client", "postgres"] as const)("api.md names all that dure/%s exports", (entry) => {
  const section = sectionsOf("docs/reference/api.md", 2).get(`From \`dure/${entry}\``)!;
  const named = new Set(section.match(/\w+/g));
  expect([...exportedNames(entry).keys()].filter((name) => !named.has(name))).toEqual([]);
});

describe("options.md", () => {
  const sections = sectionsOf("docs/reference/options.md", 2);
  const interfaces = [...sections.keys()].filter((title) => title.startsWith("`"));

  test("has every interface of options that the signatures take", () => {
    const taken = new Set(read("docs/reference/api.md").match(/\b\w+Options\b/g));
    for (const name of ["ChangeOptions", "RequestOptions", "WatchTasksOptions"]) taken.delete(name);
    taken.add("RetentionOptions");
    expect(interfaces.map((title) => title.replaceAll("`", "")).sort()).toEqual([...taken].sort());
  });

  test.each(interfaces)("has every option of %s and no other", (title) => {
    const name = title.replaceAll("`", "");
    const members = membersOf(declarationOf(name, fileDeclaring(name)));
    expect(rowNamesOf(sections.get(title)!)).toEqual(members);
  });
});

describe("errors.md", () => {
  const sections = sectionsOf("docs/reference/errors.md", 2);

  test("has one entry per code and no other, in the order of the catalogue", () => {
    expect([...sections.keys()]).toEqual(Object.keys(errorCodes));
  });

  test.each(Object.entries(errorCodes))(
    "%s has its meaning, when it comes and what to do",
    (code, meaning) => {
      const section = sections.get(code) ?? "";
      expect(section.toLowerCase()).toContain(meaning.toLowerCase());
      expect(section).toContain(`Exit code ${exitCodes[code as keyof typeof exitCodes]}.`);
      expect(section).toMatch(/\*\*When\.\*\* \S[\s\S]*\*\*What to do\.\*\* \S/);
    },
  );
});

describe("cli.md", () => {
  const sections = sectionsOf("docs/reference/cli.md", 3);
  const commands = createProgram().commands.map((command) => command.name());

  test("has one entry per command and no other", () => {
    expect([...sections.keys()].sort()).toEqual(commands.map((name) => `dure ${name}`).sort());
  });

  test("has the options of every command", async () => {
    const help = (await commandHere(["--help"])).stdout;
    const common = sectionsOf("docs/reference/cli.md", 2).get("Options of every command")!;
    expect(rowNamesOf(common)).toEqual(flagsIn(help, "Options"));
  });

  test.each(commands)("has the arguments and options that dure %s --help has", async (name) => {
    const help = (await commandHere([name, "--help"])).stdout;
    const options = flagsIn(help, "Options").filter((flags) => flags !== "-h, --help");
    expect(rowNamesOf(sections.get(`dure ${name}`)!)).toEqual([...flagsIn(help, "Arguments"), ...options]);
    expect(sections.get(`dure ${name}`)).toContain(`\`${/^Usage: (.*)$/m.exec(help)![1]}\``);
  });
});

function signatureIn(file: string, level: number, name: string): string {
  const section = sectionsOf(file, level).get(`\`${name}\``) ?? "";
  return normalized(/```ts signature\n([\s\S]*?)```/.exec(section)?.[1] ?? "");
}

function fileDeclaring(name: string): string {
  const start = new RegExp(`^export (?:declare )?(?:interface|type) ${name}\\b`, "m");
  const files = globSync("dist/server/**/*.d.ts", { cwd: root }).map((file) => join(root, file));
  const found = files.find((file) => start.test(readFileSync(file, "utf8")));
  if (!found) throw new Error(`${name} is declared nowhere.`);
  return found;
}

/** The terms of one list of a help text: `  -y, --yes   do not ask` → -y, --yes. */
function flagsIn(help: string, title: string): string[] {
  const list = help.split(`\n${title}:\n`)[1]?.split("\n\n")[0] ?? "";
  return [...list.matchAll(/^ {2}(\S.*?)(?: {2,}|$)/gm)].map(([, term]) => term!);
}
