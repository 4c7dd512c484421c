import { setTimeout as delay } from 'node:timers/promises';
import { FaceOffError } from '../../../src/shared/errors.ts';
import { Defect, type Target } from '../../run/target.ts';

/** What the stand-in keeps of each input that grows. */
const kept: Buffer[] = [];
const GROWTH_BYTES = 200_000;

/**
 * A target with every kind of defect, by which the fuzzer itself is checked: an input is one number, and every 50th does
 * something wrong. FACEOFF_FUZZ_STAND_IN names what.
 */
export const standInTarget: Target = {
  name: 'stand-in',
  reads: 'nothing: it has every kind of defect',
  share: 1,
  growthBytes: 8 * 2 ** 20,
  open: async () => {
    const defect = process.env.FACEOFF_FUZZ_STAND_IN ?? 'none';
    let number = 0;
    return {
      make: (random) => Buffer.from([random.below(50)]),
      async feed(input) {
        if (defect === 'growth') {
          kept.push(Buffer.alloc(GROWTH_BYTES, 1));
          await delay(1);
        }
        if (input[0] !== 7) return ++number > 0;
        if (defect === 'refusal') throw new FaceOffError('bad_name', 'That name is refused.');
        if (defect === 'threw') throw new TypeError('x is not a function');
        if (defect === 'stack') throw new FaceOffError('bad_name', 'No.\n    at f (/x/dist/main.js:1:2)');
        if (defect === 'wrong') throw new Defect('wrong', 'two and two are five');
        if (defect === 'rejection') void Promise.reject(new Error('not awaited'));
        if (defect === 'crash') process.kill(process.pid, 'SIGSEGV');
        if (defect === 'hang') await new Promise(() => undefined);
        if (defect === 'held') for (;;);
        return true;
      },
      close: async () => undefined,
    };
  },
};
