/** The device process: begins with what it was started with, ends with the one who started it. */

import { Device } from './device.ts';
import type { DeviceOptions } from './device-protocol.ts';

const REPORT_MS = 1000;
/** How long the answer that says so has to reach the lanes. */
const LAST_WORDS_MS = 50;
/** How long runs in hand have to end, when the process is to. */
const PATIENCE_MS = 4000;

const options = JSON.parse(process.argv[2]!) as DeviceOptions;
/** An ordinary exit would wait for a run that never ends. */
const die = (): void => void process.kill(process.pid, 'SIGKILL');
const device = new Device(options, () => setTimeout(die, LAST_WORDS_MS));

setInterval(() => {
  const report = device.report();
  if (report !== null) process.send?.(report);
}, REPORT_MS).unref();

// The only thing that is said to it: memory is short.
process.on('message', () => void device.release());
// Whoever started it is gone, or wants it gone.
process.once('disconnect', () => {
  setTimeout(die, PATIENCE_MS);
  void device.close().finally(() => process.exit(0));
});
// Ctrl-C goes to the whole group; the server ends this process in its own time.
process.on('SIGINT', () => undefined);

await device.listen();
process.send?.('ready');
