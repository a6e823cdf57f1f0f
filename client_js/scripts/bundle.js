/** Writes support_api/static and relay/console/static anew, and says how much the bundles weigh. */

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { build, bundles, compressions, consoleFiles, consoleTarget, pages, target } from './build.js';

for (const folder of [target, consoleTarget]) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
}
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
for (const file of Object.keys(consoleFiles)) {
  const text = await build(file);
  await writeFile(new URL(file, consoleTarget), text);
  console.log(`relay/console/static/${file}: ${Buffer.byteLength(text)} bytes`);
}
