/**
 * The stores' threads, each with all its modules in one file, so that it starts in a third of the time: in the package, and in
 * `npm test`, which starts thousands from their sources; see tests/support/start-bundles.ts.
 */
import { renameSync, rmSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "vite";

const root = resolve(import.meta.dirname, "..");
const threads = [
  "server/tasks/stores/sqlite/threads/thread",
  "server/tasks/stores/postgres/leases/lease-thread",
];
/** Where packages are found from, and nobody looks for sources. */
const folder = join(root, "node_modules/.cache/threads", String(process.pid));

/** Puts them in the place of the compiled threads; packages stay outside of them. */
export async function bundleBuiltThreads(built: string): Promise<void> {
  for (const thread of threads) {
    const file = resolve(built, `${thread}.js`);
    const whole = `${basename(thread)}.whole.mjs`;
    // The package lies elsewhere than where it was built.
    const urlOf = (id: string) =>
      `new URL(${JSON.stringify(relative(dirname(file), id))}, import.meta.url).href`;
    await bundle(file, { folder: dirname(file), name: whole, urlOf });
    renameSync(join(dirname(file), whole), file);
    // It tells lines of what was replaced.
    rmSync(`${file}.map`);
  }
}

/** Of the sources, with the packages too, until this process ends. Answers the files' URLs by those of the threads' own files. */
export async function bundleSourceThreads(): Promise<Record<string, string>> {
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const bundles: Record<string, string> = {};
  for (const thread of threads) {
    const file = join(root, `${thread}.ts`);
    const name = `${basename(thread)}.mjs`;
    const urlOf = (id: string) => JSON.stringify(pathToFileURL(id).href);
    await bundle(file, { folder, name, urlOf, noExternal: true });
    bundles[pathToFileURL(file).href] = pathToFileURL(join(folder, name)).href;
  }
  return bundles;
}

interface Target {
  folder: string;
  name: string;
  /** JavaScript that gives the URL of a module: modules look beside themselves for migrations and for the files of further threads. */
  urlOf(id: string): string;
  noExternal?: true;
}

async function bundle(file: string, { folder, name, urlOf, noExternal }: Target): Promise<void> {
  const keepUrls: Plugin = {
    name: "keep-urls",
    transform: (code, id) => code.replaceAll("import.meta.url", urlOf(id)),
  };
  await build({
    configFile: false,
    root,
    logLevel: "error",
    plugins: [keepUrls],
    ...(noExternal && { ssr: { noExternal } }),
    build: {
      ...{ ssr: file, outDir: folder, emptyOutDir: false, target: "esnext" },
      rolldownOptions: {
        output: { entryFileNames: name, codeSplitting: false },
        // Else it tells the path of every module here.
        experimental: { attachDebugInfo: "none" },
      },
    },
  });
}
