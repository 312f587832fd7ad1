/**
 * The stores' threads, each with all its modules in one file: such a thread starts in half the time, and `npm test` starts
 * thousands. Nothing else is different: every module knows where it lies. See tests/support/start-bundles.ts.
 */
import { rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "vite";

const root = resolve(import.meta.dirname, "..");
const threads = [
  "server/tasks/stores/sqlite/threads/thread",
  "server/tasks/stores/postgres/leases/lease-thread",
];
/** As the tests start them, and as the built package does in processes of its own. */
const files = threads.flatMap((thread) => [`${thread}.ts`, `dist/${thread}.js`]);
/** Where packages are found from, and nobody looks for sources. */
const folder = join(root, "node_modules/.cache/threads", String(process.pid));

/** Makes them anew, until this process ends. Answers the files' URLs by those of the threads' own files. */
export async function makeThreadBundles(): Promise<Record<string, string>> {
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const bundles: Record<string, string> = {};
  for (const file of files) {
    const thread = join(root, file);
    const name = `${basename(thread).replace(".", "-")}.mjs`;
    await build({
      configFile: false,
      root,
      logLevel: "error",
      plugins: [keepUrls],
      ssr: { noExternal: true },
      build: {
        ...{ ssr: thread, outDir: folder, emptyOutDir: false, target: "esnext" },
        rolldownOptions: { output: { entryFileNames: name, codeSplitting: false } },
      },
    });
    bundles[urlOf(thread)] = urlOf(join(folder, name));
  }
  return bundles;
}

/** Modules look beside themselves for migrations and for the files of further threads. */
const keepUrls: Plugin = {
  name: "keep-urls",
  transform: (code, id) => code.replaceAll("import.meta.url", JSON.stringify(urlOf(id))),
};

function urlOf(path: string): string {
  return pathToFileURL(path).href;
}
