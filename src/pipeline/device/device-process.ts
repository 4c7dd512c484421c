/** Entry point of the device process: options come on the command line; the process ends with its parent. */

import { Device } from './device.ts';
import type { DeviceOptions } from './device-protocol.ts';

const REPORT_MS = 1000;
/** Time for the error answers to reach the lanes once the device is lost. */
const FLUSH_MS = 50;
/** Time for runs in progress to finish when the process is asked to end. */
const CLOSE_MS = 4000;

const options = JSON.parse(process.argv[2]!) as DeviceOptions;
/** An ordinary exit would wait for a hung run. */
const killSelf = (): void => void process.kill(process.pid, 'SIGKILL');
const device = new Device(options, () => setTimeout(killSelf, FLUSH_MS));

setInterval(() => {
  const report = device.report();
  if (report !== null) process.send?.(report);
}, REPORT_MS).unref();

// The only message the parent sends: memory is short.
process.on('message', () => void device.release());
// The parent has ended, or asks the process to end.
process.once('disconnect', () => {
  setTimeout(killSelf, CLOSE_MS);
  void device.close().finally(() => process.exit(0));
});
// Ctrl-C reaches the whole process group; the server ends this process when it is done with it.
process.on('SIGINT', () => undefined);

await device.listen();
process.send?.('ready');
