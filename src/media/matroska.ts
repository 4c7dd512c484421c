/**
 * Pictures and sound as they are, each with its time, in Matroska (RFC 9559; EBML, RFC 8794): the simplest thing that ffmpeg
 * reads from a pipe and that keeps times. Each picture and each piece of sound is a cluster of its own.
 */

import type { Sound } from './sound.ts';

/** Tracks, and what they are called by number. */
export const PICTURES = 1;
export const SOUND = 2;
const [VIDEO_TYPE, AUDIO_TYPE] = [1, 2];
/** Times are whole milliseconds. */
const SCALE_NS = 1_000_000;
/** What an encoder plans with; pictures come when they come. */
const FRAME_NS = 33_333_333;

/** What sound is made of: 16-bit samples, so many a second and so many side by side. */
export type SoundFormat = Pick<Sound, 'sampleRate' | 'channelCount'>;

/** What stands before the first picture. */
export function matroskaHeader(width: number, height: number, sound: SoundFormat | null = null): Buffer {
  const ebml = element('1a45dfa3', [
    ...[number('4286', 1), number('42f7', 1), number('42f2', 4), number('42f3', 8)],
    ...[text('4282', 'matroska'), number('4287', 4), number('4285', 2)],
  ]);
  const info = element('1549a966', [number('2ad7b1', SCALE_NS), text('4d80', 'FaceOff'), text('5741', 'FaceOff')]);
  const video = element('e0', [number('b0', width), number('ba', height), text('2eb524', 'I420')]);
  const track = element('ae', [
    ...[number('d7', PICTURES), number('73c5', PICTURES), number('83', VIDEO_TYPE), number('9c', 0)],
    ...[number('23e383', FRAME_NS), text('86', 'V_UNCOMPRESSED'), video],
  ]);
  // A segment whose end is not known.
  const segment = Buffer.from('1853806701ffffffffffffff', 'hex');
  const tracks = sound === null ? [track] : [track, soundTrack(sound)];
  return Buffer.concat([ebml, segment, info, element('1654ae6b', tracks)]);
}

function soundTrack({ sampleRate, channelCount }: SoundFormat): Buffer {
  const rate = Buffer.alloc(8);
  rate.writeDoubleBE(sampleRate);
  const audio = element('e1', [element('b5', [rate]), number('9f', channelCount), number('6264', 16)]);
  return element('ae', [
    ...[number('d7', SOUND), number('73c5', SOUND), number('83', AUDIO_TYPE), number('9c', 0)],
    ...[text('86', 'A_PCM/INT/LIT'), audio],
  ]);
}

/** What stands before a picture, or a piece of sound, of so many bytes. @param atMs a whole number, 0 or more. */
export function matroskaBlock(track: typeof PICTURES | typeof SOUND, atMs: number, bytes: number): Buffer {
  const time = number('e7', atMs);
  // Track, time within the cluster, and that it stands alone.
  const block = Buffer.from([0x80 | track, 0, 0, 0x80]);
  const blockHead = head('a3', block.length + bytes);
  const size = time.length + blockHead.length + block.length + bytes;
  return Buffer.concat([head('1f43b675', size), time, blockHead, block]);
}

/** Id and length, in eight bytes. */
function head(id: string, length: number): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(length));
  size[0] = 1;
  return Buffer.concat([Buffer.from(id, 'hex'), size]);
}

function element(id: string, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([head(id, body.length), body]);
}

const text = (id: string, value: string): Buffer => element(id, [Buffer.from(value, 'ascii')]);

function number(id: string, value: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(value));
  return element(id, [body]);
}
