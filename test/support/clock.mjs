// Loaded into a program before its own code (node --import): its wall clock jumps by what the file named by CLOCK_FILE holds,
// in milliseconds. performance.now() and timers go on, as they do when a system's clock is set.
import { readFileSync } from 'node:fs';

const file = process.env.CLOCK_FILE;
const Real = Date;
let offsetMs = 0;
const look = () => {
  try {
    offsetMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offsetMs = 0;
  }
};
look();
setInterval(look, 50).unref();

globalThis.Date = class JumpingDate extends Real {
  constructor(...args) {
    super(...(args.length === 0 ? [Real.now() + offsetMs] : args));
  }
  static now() {
    return Real.now() + offsetMs;
  }
};
