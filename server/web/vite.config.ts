import { defineConfig } from "vite";

// Everything is a file of its own, from this server: no data: URLs, so the pages can forbid whatever is not "self".
export default defineConfig({
  base: "./",
  build: {
    outDir: "static",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "captions.html"] },
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8000", ws: true }, "/asr": "http://127.0.0.1:8000" } },
});
