/** The built dashboard: a fixed list of files, read once, so that no path of a request ever names a file. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".html": "text/html; charset=utf-8",
};

interface Page {
  body: Buffer<ArrayBuffer>;
  type: string;
  isHashed: boolean;
  /** Made when first asked for. */
  gzipped?: Buffer<ArrayBuffer>;
}

export class Pages {
  readonly #files = new Map<string, Page>();
  readonly #index: Page | undefined;

  constructor(folder: string | undefined = webFolder(), basePath = "/") {
    if (folder === undefined) return;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const type = types[extname(entry.name)];
      if (!entry.isFile() || type === undefined) continue;
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(folder.length).replace(/\\/g, "/").replace(/^\//, "");
      this.#files.set(name, { body: readFileSync(path), type, isHashed: name.startsWith("assets/") });
    }
    const index = this.#files.get("index.html");
    const base = `<base href="${basePath.replace(/"/g, "&quot;")}" />`;
    const text = index?.body.toString("utf8").replace(/<base href="[^"]*"\s*\/?>/, base);
    if (text !== undefined) this.#index = { body: Buffer.from(text), type: types[".html"]!, isHashed: false };
  }

  /** A file, or for any other address the page itself, which knows all of them. */
  answer(path: string, encodings = ""): Response | undefined {
    const file = path === "index.html" ? undefined : this.#files.get(path);
    if (file)
      return answered(file, file.isHashed ? "public, max-age=31536000, immutable" : "no-cache", encodings);
    if (this.#index === undefined || /\.[a-z0-9]{1,5}$/i.test(path)) return undefined;
    return answered(this.#index, "no-store", encodings);
  }
}

/** Nothing in a file is secret, and nothing of the request is in it: it may be compressed. */
function answered(page: Page, cache: string, encodings: string): Response {
  const headers = { "content-type": page.type, "cache-control": cache, vary: "accept-encoding" };
  if (!/\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(encodings))
    return new Response(page.body, { headers });
  page.gzipped ??= gzipSync(page.body) as Buffer<ArrayBuffer>;
  return new Response(page.gzipped, { headers: { ...headers, "content-encoding": "gzip" } });
}

/** Beside the built server, or where a build puts it when the server runs from its sources. */
function webFolder(): string | undefined {
  const places = ["../../web/", "../../dist/web/"].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(join(place, "index.html")) && existsSync(join(place, "assets")));
}
