/** What a page must be free of, whatever it shows. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** How far the page itself scrolls sideways, in pixels. */
export function wideElements(page: Page): Promise<number> {
  return page.evaluate(
    "document.documentElement.scrollWidth - innerWidth > 0 || document.querySelector('main').scrollWidth > document.querySelector('main').clientWidth ? 1 : 0",
  );
}

/** What axe objects to by WCAG 2.2 AA, as short lines. */
export function violations(page: Page): Promise<string[]> {
  return violationsOf(page, `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`);
}

/** The same of the one rule that another theme may break. */
export function contrastViolations(page: Page): Promise<string[]> {
  return violationsOf(page, `["color-contrast"]`);
}

async function violationsOf(page: Page, runOnly: string): Promise<string[]> {
  if (!(await page.evaluate("'axe' in globalThis"))) await page.evaluate(axe);
  return page.evaluate(`(async () => {
    const { violations } = await axe.run(document, { runOnly: ${runOnly}, resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map(({ html, any }) => html.slice(0, 160) + " " + (any[0]?.message ?? "")).join(" | "));
  })()`);
}
