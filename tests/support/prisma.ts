/**
 * Prisma's client without a model, on its own driver adapter: what `prisma generate` writes of such a schema, which only
 * names the runtime's parts. Its program for that fetches binaries when it starts.
 */
import { getPrismaClient } from "@prisma/client/runtime/client";

const compiler = "@prisma/client/runtime/query_compiler_fast_bg.postgresql";

/** `new PrismaClient({ adapter })` */
export const PrismaClient: new (options: any) => any = getPrismaClient({
  previewFeatures: [],
  clientVersion: "7",
  engineVersion: "none",
  activeProvider: "postgresql",
  inlineSchema: 'datasource db {\n  provider = "postgresql"\n}\n',
  runtimeDataModel: { models: {}, enums: {}, types: {} },
  // No strings and a graph without a node.
  parameterizationSchema: { strings: [], graph: "AAAAAAAAAAA=" },
  compilerWasm: {
    getRuntime: () => import(`${compiler}.mjs`),
    getQueryCompilerWasmModule: async () => {
      const { wasm } = await import(`${compiler}.wasm-base64.mjs`);
      return new (globalThis as any).WebAssembly.Module(Buffer.from(wasm, "base64"));
    },
    importName: "./query_compiler_fast_bg.js",
  },
});
