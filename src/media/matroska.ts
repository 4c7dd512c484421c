/**
 * Uncompressed frames and sound, each with its time, in Matroska (RFC 9559; EBML, RFC 8794): the simplest format that
 * ffmpeg reads from a pipe and that keeps times. Each frame and each piece of sound is a cluster of its own.
 */

import type { Sound } from './sound.ts';

/** Number of the track of frames. */
export const PICTURES = 1;
/** Number of the track of sound. */
export const SOUND = 2;
/** TrackType of Matroska. */
const VIDEO_TYPE = 1;
const AUDIO_TYPE = 2;
/** TimestampScale of live frames: times are whole milliseconds. */
const SCALE_NS = 1_000_000;
/** Language of pictures: without it, Matroska's is English. */
const UNDETERMINED = 'und';
/** DefaultDuration, which an encoder plans with, and shows the last frame for; the frames' own times decide. */
const FRAME_NS = 33_333_333;

/** The format of sound: 16-bit samples, so many a second, so many channels interleaved. */
export type SoundFormat = Pick<Sound, 'sampleRate' | 'channelCount'>;

/**
 * The bytes before the first block.
 * @param width, height in pixels. @param sound null for no track of sound.
 * @param scaleNs what times are counted in, and how long frames are shown as a rule, in nanoseconds.
 */
export function matroskaHeader(
  width: number,
  height: number,
  sound: SoundFormat | null = null,
  { scaleNs = SCALE_NS, frameNs = FRAME_NS }: { scaleNs?: number; frameNs?: number } = {},
): Buffer {
  const ebml = element('1a45dfa3', [
    ...[number('4286', 1), number('42f7', 1), number('42f2', 4), number('42f3', 8)],
    ...[text('4282', 'matroska'), number('4287', 4), number('4285', 2)],
  ]);
  const info = element('1549a966', [number('2ad7b1', scaleNs), text('4d80', 'FaceOff'), text('5741', 'FaceOff')]);
  const video = element('e0', [number('b0', width), number('ba', height), text('2eb524', 'I420')]);
  const track = element('ae', [
    ...[number('d7', PICTURES), number('73c5', PICTURES), number('83', VIDEO_TYPE), number('9c', 0)],
    ...[text('22b59c', UNDETERMINED), number('23e383', frameNs), text('86', 'V_UNCOMPRESSED'), video],
  ]);
  // A segment of unknown size.
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

/** The bytes before the data of a frame or a piece of sound. @param at its time, a whole number of what the header's times are counted in, 0 or more. @param bytes size of the data. */
export function matroskaBlock(track: typeof PICTURES | typeof SOUND, at: number, bytes: number): Buffer {
  const time = number('e7', at);
  // Track number, time within the cluster (0), and the flag of a key frame.
  const block = Buffer.from([0x80 | track, 0, 0, 0x80]);
  const blockHead = head('a3', block.length + bytes);
  const size = time.length + blockHead.length + block.length + bytes;
  return Buffer.concat([head('1f43b675', size), time, blockHead, block]);
}

/** The head of an element: its id (hexadecimal), and the length of its body in eight bytes. */
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
