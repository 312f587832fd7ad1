/** The page around every report: one self-contained file, light or dark as the reader's system is. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

const style = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6878; --line: #dfe4ea; --page: #f6f7f9; --card: #fff; --mark: #2563c9; --late: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #9aa7b8; --line: #2b3440; --page: #11161d; --card: #19202a; --mark: #6ea8ff; --late: #fb923c; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem 1rem 4rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 820px; margin: 0 auto; }
a { color: var(--mark); }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .25rem 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.lead { color: var(--soft); margin: 0 0 1.5rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: .75rem; padding: 0; margin: 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .75rem 1rem; }
.facts dt { color: var(--soft); font-size: .8rem; }
.facts dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; }
figcaption { color: var(--soft); font-size: .85rem; margin-bottom: .5rem; }
svg { display: block; width: 100%; height: auto; }
.bar { fill: var(--mark); } .bar.under { opacity: .45; } .axis { stroke: var(--line); } .tick { fill: var(--soft); font-size: 11px; }
.route { fill: none; stroke: var(--mark); opacity: .45; } .place { fill: var(--mark); } .home { fill: var(--late); }
.table { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .9rem; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-size: .8rem; font-weight: 600; border-top: 0; }
th:first-child, td:first-child { text-align: left; }
.late { color: var(--late); }
figure + .lead { margin-top: 1.25rem; }
@media (max-width: 600px) { th, td { padding: .45rem .5rem; } .tick { font-size: 15px; } body { padding-top: 1rem; } }
`;

/** A whole page. `body` is HTML already; `title` and `lead` are text. */
export function page(title: string, lead: string, body: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main><h1>${escapeHtml(title)}</h1><p class="lead">${escapeHtml(lead)}</p>
${body.join("\n")}
</main></body>
</html>
`;
}

/** Figures in boxes. */
export function facts(entries: readonly (readonly [name: string, value: string])[]): string {
  const boxes = entries.map(
    ([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`,
  );
  return `<dl class="facts">${boxes.join("")}</dl>`;
}

/** Cells are HTML already, so that they may hold links. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const headCells = head.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join("");
  const bodyRows = rows
    .map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`)
    .join("");
  return `<div class="table"><table><thead><tr>${headCells}</tr></thead><tbody>${bodyRows}</tbody></table></div>`;
}

export function escapeHtml(text: string): string {
  const names: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character]!);
}

export function minutes(value: number): string {
  return `${value.toFixed(1)} min`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Never half a file: written beside its place, then put there in one step. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}
