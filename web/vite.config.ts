/** How the dashboard is built: `vite build web` writes dist/web, whose addresses are all relative to `<base href>`. */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Whoever builds, the packed dashboard has the production build of React.
process.env.NODE_ENV = "production";

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2023",
    cssTarget: ["chrome123", "firefox128", "safari18"],
    // The content security policy allows no data: script or font, and an asset apart is cached for ever.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What is bundled is given on, and its licences with it.
    license: { fileName: "licenses.md" },
    reportCompressedSize: true,
    // How long a busy machine took is nobody's mistake.
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
});
