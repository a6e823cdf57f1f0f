/**
 * Makes what browsers load from the sources: support_api/static, which is committed and part of the Python package.
 * `build()` returns the text of one file, so that a test can compare it with what is committed.
 */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import esbuild from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where the files go. */
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

/**
 * What the relay's console has of ours: it is served without client_js. From here to there; `npm run bundle` writes it.
 */
export const copies = {
  'kit/dom.js': '../relay/console/static/dom.js',
};

/** The page that each is a copy of. */
export const pages = {
  'operator.html': 'operator/index.html',
  'demo.html': 'demo/index.html',
};

/** How each bundle is compressed, and back, by the ending of the file beside it. */
export const compressions = {
  '.br': { pack: (text) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }), unpack: brotliDecompressSync },
  '.gz': { pack: (text) => gzipSync(text, { level: 9 }), unpack: gunzipSync },
};

/** Classic scripts; the panel is a module, which knows where its worker lies. */
const formats = { 'operator.js': 'esm' };

const cssAsText = {
  name: 'css-as-text',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, 'utf8'), { loader: 'css', minify: true, target: 'es2022' });
      return { contents: code.trim(), loader: 'text' };
    });
  },
};

/** The widget joins no presence channel and has `resume: false`, so it goes without what these are for. */
const unused = {
  'members.js': 'export class Members {}',
  'position.js': 'export class Position {}',
};

const withoutUnused = {
  name: 'without-unused',
  setup(build) {
    build.onLoad({ filter: /pushler[/\\](members|position)\.js$/ }, ({ path }) => ({ contents: unused[path.split(/[/\\]/).at(-1)] }));
  },
};

/** @returns {Promise<string>} the text of one file of the two lists above */
export async function build(file) {
  if (file in pages) return readFile(`${root}${pages[file]}`, 'utf8');
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [bundles[file]],
    bundle: true,
    minify: true,
    format: formats[file] ?? 'iife',
    target: 'es2022',
    charset: 'utf8',
    // Names with a leading underscore are private by convention: they may be short in the bundle.
    // So they are never written as text (`this['_x']`); a test looks for that.
    mangleProps: /^_./,
    legalComments: 'none',
    write: false,
    plugins: file === 'widget.js' ? [cssAsText, withoutUnused] : [],
  });
  return result.outputFiles[0].text;
}
