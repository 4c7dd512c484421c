import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { DIGITAL_SOURCE_TYPE } from '../../../../src/media/provenance/xmp.ts';
import { addXmpBox } from '../../../../src/media/provenance/xmp-box.ts';
import { boxesOf, xmpBoxOf } from '../../../support/provenance.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-xmp-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

type WriteArguments = [data: Buffer, from: number, bytes: number, at: number];

function box(type: string, bytes: number): Buffer {
  const data = Buffer.alloc(bytes, type);
  data.writeUInt32BE(bytes);
  data.write(type, 4, 'latin1');
  return data;
}
/** A box that says its size in 64 bits. */
function longBox(type: string, bytes: number): Buffer {
  const data = box(type, bytes);
  data.writeUInt32BE(1);
  data.writeBigUInt64BE(BigInt(bytes), 8);
  return data;
}
function fileOf(...boxes: Buffer[]): string {
  const file = path.join(folder, 'clip.mp4');
  writeFileSync(file, Buffer.concat(boxes));
  return file;
}

describe('the XMP of a clip', () => {
  test('is its last box, and nothing else changes', async () => {
    const before = [box('ftyp', 24), longBox('mdat', 5000), box('moov', 300)];
    const file = fileOf(...before);
    await addXmpBox(file);
    expect(readFileSync(file).subarray(0, 5324)).toEqual(Buffer.concat(before));
    const tail = readFileSync(file).subarray(5324);
    expect(tail.readUInt32BE()).toBe(tail.length);
    expect(tail.toString('latin1', 4, 8)).toBe('uuid');
    expect(tail.toString('hex', 8, 24)).toBe('be7acfcb97a942e89c71999491e3afac');
    expect(tail.toString('utf8', 24)).toContain(DIGITAL_SOURCE_TYPE);
  });

  test('stands before the index of fragments, which readers look for at the end', async () => {
    const index = box('mfra', 96);
    const file = fileOf(box('ftyp', 24), box('moof', 100), box('mdat', 500), index);
    await addXmpBox(file);
    expect(boxesOf(file).map(({ type }) => type)).toEqual(['ftyp', 'moof', 'mdat', 'uuid', 'mfra']);
    expect(readFileSync(file).subarray(-96)).toEqual(index);
    expect(xmpBoxOf(file)).toContain(DIGITAL_SOURCE_TYPE);
  });

  test.each([
    ['is cut off', [box('ftyp', 24), box('mdat', 500).subarray(0, 400)]],
    ['ends within a head', [box('ftyp', 24), Buffer.from([0, 0, 0])]],
    ['ends with a box without an end', [box('ftyp', 24), Buffer.concat([Buffer.alloc(4), Buffer.from('mdat')])]],
  ])('is not added where the file %s', async (_, boxes) => {
    const file = fileOf(...boxes);
    await expect(addXmpBox(file)).rejects.toThrow('whole box');
    expect(readFileSync(file)).toEqual(Buffer.concat(boxes));
  });

  test('leaves the file as it was where the disk is full', async () => {
    const before = [box('ftyp', 24), box('moof', 100), box('mdat', 500), box('mfra', 96)];
    const file = fileOf(...before);
    const probe = await open(file, 'r');
    const prototype = Object.getPrototypeOf(probe) as {
      write(...args: WriteArguments): Promise<{ bytesWritten: number }>;
    };
    await probe.close();
    const real = prototype.write;
    let room = 200;
    vi.spyOn(prototype, 'write').mockImplementation(async function write(this: unknown, data, from, bytes, at) {
      // What the file has already is there to be written over.
      const most = Math.max(720 - at, 0) + room;
      if (most === 0) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      const done = await real.call(this as never, data, from, Math.min(bytes, most), at);
      if (at + done.bytesWritten > 720) room = 0;
      return done;
    });
    await expect(addXmpBox(file)).rejects.toThrow('ENOSPC');
    expect(readFileSync(file)).toEqual(Buffer.concat(before));
  });
});
