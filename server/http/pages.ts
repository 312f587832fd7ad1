/** The built dashboard: a fixed list of files, read once, so that no path of a request ever names a file. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

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
}

export class Pages {
  readonly #files = new Map<string, Page>();
  readonly #index: string | undefined;

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
    this.#index = index?.body.toString("utf8").replace(/<base href="[^"]*"\s*\/?>/, base);
  }

  /** A file, or for any other address the page itself, which knows all of them. */
  answer(path: string): Response | undefined {
    const file = path === "index.html" ? undefined : this.#files.get(path);
    if (file) {
      const cache = file.isHashed ? "public, max-age=31536000, immutable" : "no-cache";
      return new Response(file.body, { headers: { "content-type": file.type, "cache-control": cache } });
    }
    if (this.#index === undefined || /\.[a-z0-9]{1,5}$/i.test(path)) return undefined;
    return new Response(this.#index, {
      headers: { "content-type": types[".html"]!, "cache-control": "no-store" },
    });
  }
}

/** Beside the built server, or where a build puts it when the server runs from its sources. */
function webFolder(): string | undefined {
  const places = ["../../web/", "../../dist/web/"].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(join(place, "index.html")) && existsSync(join(place, "assets")));
}
