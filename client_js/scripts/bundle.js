/** Writes dist/ and the relay's copies, and says how much the bundles weigh. */

import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { build, bundles, copies } from './build.js';

const root = new URL('../', import.meta.url);

await mkdir(new URL('dist/', root), { recursive: true });
for (const [file, entry] of Object.entries(bundles)) {
  const text = await build(entry);
  await writeFile(new URL(file, root), text);
  console.log(`${file}: ${Buffer.byteLength(text)} bytes, ${gzipSync(text, { level: 9 }).length} gzip`);
}
for (const [file, copy] of Object.entries(copies)) await copyFile(new URL(file, root), new URL(copy, root));
