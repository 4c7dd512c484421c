/** `npm run bench`: ratios first, the machine named; figures go to results/latest.json and a line to results/history.jsonl. */

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../src/root.ts';
import { benchFrames } from './frame.ts';
import { machine } from './machine.ts';

const on = machine();
console.log(`${on.cpu}, ${on.cores} cores, ${on.memoryGiB} GiB, Node ${on.node}, ${on.date}\n`);

const { rows, largeOverSmall } = await benchFrames();
console.log('whole swapFrame over bare landmark inference, one 300-pixel face:');
console.table(
  Object.fromEntries(
    rows.map(({ size, faces, frameMs, landmarkMs, p50Ratio, p99Ratio, stagesMs }) => [
      `${size}, ${faces} face${faces > 1 ? 's' : ''}`,
      {
        'p50 ratio': p50Ratio,
        'p99 ratio': p99Ratio,
        'frame p50 ms': frameMs.p50,
        'frame p99 ms': frameMs.p99,
        'landmark p50 ms': landmarkMs.p50,
        'stage landmark': stagesMs.landmark,
        'stage swap': stagesMs.swap,
      },
    ]),
  ),
);
console.log(`the same face in 1920x1080 over 640x480: ${largeOverSmall}`);

const folder = path.join(root, 'bench/results');
mkdirSync(folder, { recursive: true });
const result = { machine: on, largeOverSmall, frames: rows };
writeFileSync(path.join(folder, 'latest.json'), `${JSON.stringify(result, null, 2)}\n`);
appendFileSync(path.join(folder, 'history.jsonl'), `${JSON.stringify(result)}\n`);
