/**
 * Makes the two classic scripts of dist/ from the modules. `build()` returns their text, so that
 * a test can compare it with what is committed.
 */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Entry of each bundle. */
export const bundles = {
  'dist/pushler.js': 'pushler/tag.js',
  'dist/widget.js': 'widget/tag.js',
};

/**
 * What the relay's console has of ours: it is served without client_js. From here to there; `npm run bundle` writes it.
 */
export const copies = {
  'shared/dom.js': '../relay/console/static/dom.js',
};

const cssAsText = {
  name: 'css-as-text',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, 'utf8'), { loader: 'css', minify: true, target: 'es2022' });
      return { contents: code.trim(), loader: 'text' };
    });
  },
};

/** The widget joins no presence channel, so it goes without what keeps their members. */
const withoutMembers = {
  name: 'without-members',
  setup(build) {
    build.onLoad({ filter: /pushler[/\\]members\.js$/ }, () => ({ contents: 'export class Members {}' }));
  },
};

/** @returns {Promise<string>} the text of one bundle */
export async function build(entry) {
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    // Names with a leading underscore are private by convention: they may be short in the bundle.
    // So they are never written as text (`this['_x']`); a test looks for that.
    mangleProps: /^_./,
    legalComments: 'none',
    write: false,
    plugins: [cssAsText, ...(entry === bundles['dist/widget.js'] ? [withoutMembers] : [])],
  });
  return result.outputFiles[0].text;
}
