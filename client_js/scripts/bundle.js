/** Writes dist/ and says how much the bundles weigh. */

import { mkdir, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { build, bundles } from './build.js';

const root = new URL('../', import.meta.url);

await mkdir(new URL('dist/', root), { recursive: true });
for (const [file, entry] of Object.entries(bundles)) {
  const text = await build(entry);
  await writeFile(new URL(file, root), text);
  console.log(`${file}: ${Buffer.byteLength(text)} bytes, ${gzipSync(text, { level: 9 }).length} gzip`);
}
