/**
 * The built product, as its users get it. Build first: `npm run build`. DURE_BENCH_DIST names the folder of another
 * build, to compare two.
 */
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as product from "../../server/index.ts";

const folder = process.env.DURE_BENCH_DIST ?? fileURLToPath(new URL("../../dist/", import.meta.url));
const builtEntry = join(folder, "server", "index.js");

export const { createDure } = (await import(pathToFileURL(builtEntry).href)) as typeof product;
export type BenchDure = ReturnType<typeof createDure>;
