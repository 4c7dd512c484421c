import { expect, test } from 'vitest';
import { sendIfOpen } from '../../../../src/server/h264/transport-library.ts';

/** A connection that says in turn whether it is open. */
const saying = (...answers: boolean[]) => ({ isOpen: () => answers.shift() ?? false });
const fail = (): never => {
  throw new Error('libdatachannel error while sending track message: Track is not open');
};

test('a connection that closes on another thread while something is sent is no error', () => {
  expect(sendIfOpen(saying(true), () => false)).toBe(true);
  expect(sendIfOpen(saying(false), fail)).toBe(false);
  expect(sendIfOpen(saying(true, false), fail)).toBe(false);
  expect(() => sendIfOpen(saying(true, true), fail)).toThrow('not open');
});
