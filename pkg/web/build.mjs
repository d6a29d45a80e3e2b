// Bundles the page into dist: index.html, and under assets/ the script, the style and the icon, each
// named by a hash of its content, so that they may be cached for ever.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const result = await build({
  entryPoints: { page: here("src/page/main.ts"), style: here("src/page/style/index.css") },
  outdir: here("dist/assets"),
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "file" },
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  metafile: true,
  write: false,
});

const files = new Map(result.outputFiles.map(({ path, contents }) => [basename(path), contents]));

// The licenses of what is bundled ask to go with it.
const packages = new Set(Object.keys(result.metafile.inputs).flatMap((input) => input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? []));
const licenses = await Promise.all([...packages].sort().map(async (name) => `${name}\n\n${await readFile(here(`node_modules/${name}/LICENSE`), "utf8")}`));
const notice = licenses.join("\n\n");
files.set(`licenses-${createHash("sha256").update(notice).digest("hex").slice(0, 8)}.txt`, notice);

const named = (pattern) => [...files.keys()].find((name) => pattern.test(name));
const page = (await readFile(here("src/page/index.html"), "utf8"))
  .replace("%script%", `/assets/${named(/^page-\w+\.js$/)}`)
  .replace("%style%", `/assets/${named(/^style-\w+\.css$/)}`)
  .replace("%licenses%", `/assets/${named(/^licenses-\w+\.txt$/)}`)
  .replace("%icon%", `/assets/${named(/^icon-\w+\.svg$/)}`);

for (const name of await readdir(here("dist"))) {
  if (name !== ".gitkeep") await rm(here(`dist/${name}`), { recursive: true });
}
await mkdir(here("dist/assets"), { recursive: true });
for (const [name, contents] of files) await writeFile(here(`dist/assets/${name}`), contents);
await writeFile(here("dist/index.html"), page);
