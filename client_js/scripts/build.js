/**
 * Makes what browsers load from the sources: support_api/static and relay/console/static, which are committed and part of the
 * Python package.
 * `build()` returns the text of one file, so that a test can compare it with what is committed.
 */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import esbuild from 'esbuild';
import { minify } from 'terser';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where the support desk's files go. */
export const target = new URL('../../support_api/static/', import.meta.url);

/** The file that each script and style is built from. */
export const bundles = {
  'pushler.js': 'pushler/tag.js',
  'widget.js': 'widget/tag.js',
  'widget.css': 'widget/widget.css',
  'operator.js': 'operator/main.js',
  'ticker.js': 'operator/ticker.js',
  'operator.css': 'operator/operator.css',
  'demo.js': 'demo/demo.js',
  'demo.css': 'demo/demo.css',
};

/** The page that each is a copy of. */
export const pages = {
  'operator.html': 'operator/index.html',
  'demo.html': 'demo/index.html',
};

/** Where those of the relay's console go, and what each is built from. They are served as they are. */
export const consoleTarget = new URL('../../relay/console/static/', import.meta.url);
export const consoleFiles = {
  'index.html': 'console/index.html',
  'console.js': 'console/main.js',
  'console.css': 'console/console.css',
};

/** How each bundle is compressed, and back, by the ending of the file beside it. */
export const compressions = {
  '.br': { pack: (text) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }), unpack: brotliDecompressSync },
  '.gz': { pack: (text) => gzipSync(text, { level: 9 }), unpack: gunzipSync },
};

/** Classic scripts; the panel is a module, which knows where its worker lies. */
const formats = { 'operator.js': 'esm', 'console.js': 'esm' };

const cssAsText = {
  name: 'css-as-text',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, 'utf8'), { loader: 'css', minify: true, target: 'es2022' });
      return { contents: code.trim(), loader: 'text' };
    });
  },
};

/** The widget joins no presence channel, sends no client events, does not sign in and has `resume: false`, so it goes without what these are for. */
const unused = {
  'client_event.js': 'export function ensureClientEvent() {}',
  'members.js': 'export class Members {}',
  'position.js': 'export class Position {}',
  'sign_in.js': 'export class SignIn { _begin() {} _again() {} _idle() {} _hear() {} }',
};

const withoutUnused = {
  name: 'without-unused',
  setup(build) {
    build.onLoad({ filter: /pushler[/\\](client_event|members|position|sign_in)\.js$/ }, ({ path }) => ({ contents: unused[path.split(/[/\\]/).at(-1)] }));
  },
};

/** Preact would write markup where a property of a certain name asks for it. Nobody asks; in our bundles it is text all the same. */
const withoutMarkup = {
  name: 'without-markup',
  setup(build) {
    build.onLoad({ filter: /preact[/\\]dist[/\\]preact\.mjs$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll('.innerHTML', '.textContent'),
    }));
  },
};

const plugins = { 'widget.js': [cssAsText, withoutUnused], 'console.js': [withoutMarkup], 'operator.js': [withoutMarkup] };

/** @returns {Promise<string>} the text of one file of the three lists above */
export async function build(file) {
  const source = pages[file] ?? bundles[file] ?? consoleFiles[file];
  if (source.endsWith('.html')) return readFile(`${root}${source}`, 'utf8');
  const format = formats[file] ?? 'iife';
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [source],
    bundle: true,
    minify: true,
    format,
    target: 'es2022',
    charset: 'utf8',
    // Names with a leading underscore are private by convention: they may be short in the bundle.
    // So they are never written as text (`this['_x']`); a test looks for that. Two underscores are Preact's, which does.
    mangleProps: /^_[^_]/,
    legalComments: 'none',
    write: false,
    plugins: plugins[file] ?? [],
  });
  const { text } = result.outputFiles[0];
  return file.endsWith('.js') ? squeezed(text, format === 'esm') : text;
}

/** esbuild joins and minifies; what is done a second time to whole functions takes 2 to 3 % more off, compressed. */
async function squeezed(text, module) {
  const { code } = await minify(text, { module, ecma: 2020, compress: { passes: 3, inline: 1 } });
  return `${code}\n`;
}
