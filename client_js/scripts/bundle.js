/** Writes support_api/static anew, and the relay's copies, and says how much the bundles weigh. */

import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { build, bundles, compressions, copies, pages, target } from './build.js';

const root = new URL('../', import.meta.url);

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
for (const file of Object.keys(pages)) await writeFile(new URL(file, target), await build(file));
for (const file of Object.keys(bundles)) {
  const text = await build(file);
  const sizes = [`${Buffer.byteLength(text)} bytes`];
  await writeFile(new URL(file, target), text);
  for (const [ending, { pack }] of Object.entries(compressions)) {
    const packed = pack(text);
    sizes.push(`${packed.length} ${ending}`);
    await writeFile(new URL(file + ending, target), packed);
  }
  console.log(`${file}: ${sizes.join(', ')}`);
}
for (const [file, copy] of Object.entries(copies)) await copyFile(new URL(file, root), new URL(copy, root));
