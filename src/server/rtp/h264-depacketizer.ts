import { recoveryFramesOf } from './recovery-point.ts';
import type { RtpPacket } from './rtp-packet.ts';

/** One picture as it was encoded. */
export interface AccessUnit {
  /** NAL units in Annex B form: each behind 00 00 00 01. */
  data: Buffer;
  /** Its whole parameter sets, in the same form: decoding needs them later even if the picture is given up. */
  sets: Buffer;
  /** Of the stream's clock at 90 kHz, 0..2³²−1. */
  timestamp: number;
  /** Whether it holds an IDR slice, from which decoding can begin. */
  isKeyframe: boolean;
  /**
   * Pictures from this one to the first that is exact although decoding began here (H.264, D.2.8, recovery point), which
   * is how streams without IDR slices are entered; null where nothing is said of it.
   */
  recoveryFrames: number | null;
  /** Whether a part of it is lost or malformed; `data` is empty then. */
  isDamaged: boolean;
  /** Whether something between it and the unit before is lost. */
  isAfterLoss: boolean;
}

/** Types of NAL units (H.264, table 7-1) and of packets (RFC 6184, table 1). */
const IDR = 5;
const SEI = 6;
const SPS = 7;
const PPS = 8;
const DELIMITER = 9;
const STAP_A = 24;
const FU_A = 28;
const START_CODE = Buffer.from([0, 0, 0, 1]);
/** Largest accepted picture; a 1080p60 stream at level 5.2 has at most 1.5 MB. */
const MOST_BYTES = 4 * 2 ** 20;
/** Most parameter sets kept of one picture; encoders have one or two of each kind. */
const MOST_SETS = 64;

/**
 * Puts H.264 pictures together from RTP packets in order (RFC 6184, packetization modes 0 and 1: single NAL units,
 * STAP-A, FU-A). A picture ends with the marker or where the timestamp changes. A stream whose marker once stood in the
 * middle of a picture is cut at timestamps alone from then on, as section 5.1 demands. What comes without a picture
 * (parameter sets, delimiters, SEI) belongs to the next one, whatever its marker and timestamp.
 */
export class H264Depacketizer {
  readonly #onUnit: (unit: AccessUnit) => void;
  #parts: Uint8Array[] = [];
  #sets: Uint8Array[] = [];
  #bytes = 0;
  #timestamp: number | null = null;
  /** Of the picture that a marker ended last. */
  #markedTimestamp: number | null = null;
  #trustsMarkers = true;
  #isKeyframe = false;
  #hasPicture = false;
  #recoveryFrames: number | null = null;
  #isDamaged = false;
  #isAfterLoss = false;
  /** Whether a fragmented NAL unit has begun and not ended. */
  #isOpen = false;

  /** @param onUnit gets each picture. */
  constructor(onUnit: (unit: AccessUnit) => void) {
    this.#onUnit = onUnit;
  }

  /** @param isAfterLoss whether packets directly in front of this one are lost. */
  push({ payload, timestamp, marker }: RtpPacket, isAfterLoss: boolean): void {
    // A packet without payload only keeps a path open or measures it; it may repeat the timestamp before.
    if (payload.length === 0 && !isAfterLoss) return;
    const isBehindMarker = this.#timestamp === null && timestamp === this.#markedTimestamp;
    // The end of the picture in hand may be among what is lost, and the beginning of the next one.
    if (isAfterLoss && this.#timestamp !== null) this.#damage();
    if (this.#timestamp !== null && timestamp !== this.#timestamp) this.#end();
    this.#timestamp = timestamp;
    if (isAfterLoss) {
      this.#isAfterLoss = true;
      if (!beginsUnit(payload)) this.#damage();
    }
    if (isBehindMarker && continuesPicture(payload)) {
      this.#trustsMarkers = false;
      this.#damage();
    }
    this.#add(payload);
    if (!marker || !this.#trustsMarkers) return;
    if (this.#hasPicture || this.#isDamaged) this.#markedTimestamp = timestamp;
    this.#end();
  }

  #add(payload: Uint8Array): void {
    if (payload.length === 0) return;
    const type = payload[0]! & 31;
    if (type === FU_A) this.#addFragment(payload);
    else {
      if (this.#isOpen) this.#damage();
      if (type === STAP_A) this.#addAggregate(payload);
      else if (type > 0 && type < STAP_A) this.#addNal(payload);
      else this.#damage();
    }
  }

  #addAggregate(payload: Uint8Array): void {
    for (let at = 1; at < payload.length; ) {
      const size = at + 2 <= payload.length ? payload[at]! * 256 + payload[at + 1]! : 0;
      if (size === 0 || at + 2 + size > payload.length) {
        this.#damage();
        return;
      }
      this.#addNal(payload.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
  }

  #addFragment(payload: Uint8Array): void {
    const [indicator = 0, header = 0] = payload;
    const isFirst = (header & 0x80) !== 0;
    // A fragment continues the one before, or begins; anything else is a gap.
    if (payload.length < 2 || isFirst === this.#isOpen) {
      this.#damage();
      if (!isFirst || payload.length < 2) return;
    }
    if (isFirst) {
      const first = Uint8Array.of((indicator & 0xe0) | (header & 31));
      this.#note(first);
      this.#append(START_CODE);
      this.#append(first);
    }
    this.#append(payload.subarray(2));
    this.#isOpen = (header & 0x40) === 0;
  }

  #addNal(nal: Uint8Array): void {
    const type = nal[0]! & 31;
    this.#note(nal);
    if ((type === SPS || type === PPS) && this.#sets.length < 2 * MOST_SETS) this.#sets.push(START_CODE, nal);
    if (type === SEI) this.#recoveryFrames ??= recoveryFramesOf(nal);
    this.#append(START_CODE);
    this.#append(nal);
  }

  /** Notes what a unit makes of its picture. */
  #note([first = 0]: Uint8Array): void {
    const type = first & 31;
    if (type === IDR) this.#isKeyframe = true;
    if (type > 0 && type <= IDR) this.#hasPicture = true;
  }

  #append(part: Uint8Array): void {
    if (this.#isDamaged) return;
    this.#bytes += part.length;
    if (this.#bytes > MOST_BYTES) this.#damage();
    else this.#parts.push(part);
  }

  /** The picture cannot be decoded; what was collected is given up. */
  #damage(): void {
    this.#isDamaged = true;
    this.#isOpen = false;
    this.#parts = [];
  }

  #end(): void {
    if (this.#isOpen) this.#damage();
    const timestamp = this.#timestamp ?? 0;
    this.#timestamp = null;
    if (!this.#hasPicture && !this.#isDamaged) return;
    const unit: AccessUnit = {
      data: this.#isDamaged ? Buffer.alloc(0) : Buffer.concat(this.#parts),
      sets: Buffer.concat(this.#sets),
      timestamp,
      isKeyframe: this.#isKeyframe,
      recoveryFrames: this.#recoveryFrames,
      isDamaged: this.#isDamaged,
      isAfterLoss: this.#isAfterLoss,
    };
    this.#parts = [];
    this.#sets = [];
    this.#bytes = 0;
    this.#isKeyframe = false;
    this.#hasPicture = false;
    this.#recoveryFrames = null;
    this.#isDamaged = false;
    this.#isAfterLoss = false;
    this.#isOpen = false;
    this.#onUnit(unit);
  }
}

/** Whether a payload can only be the first of its picture (H.264, 7.4.1.2.3). */
function beginsUnit(payload: Uint8Array): boolean {
  const type = payload[0]! & 31;
  const first = type === STAP_A && payload.length > 3 ? payload[3]! & 31 : type;
  return first === SPS || first === DELIMITER;
}

/** Whether a payload is a slice, or the beginning of one, that is not the first of its picture (first_mb_in_slice, 7.3.3). */
function continuesPicture(payload: Uint8Array): boolean {
  const isFragment = (payload[0]! & 31) === FU_A;
  if (isFragment && (payload[1]! & 0x80) === 0) return true;
  const type = (isFragment ? payload[1]! : payload[0]!) & 31;
  const slice = payload[isFragment ? 2 : 1];
  // The number of its first macroblock is 0 where the slice begins with a set bit (Exp-Golomb).
  return (type === 1 || type === IDR) && slice !== undefined && slice < 0x80;
}

/** The NAL units of an Annex B stream, without start codes and trailing zeros. */
export function nalUnitsOf(data: Uint8Array): Uint8Array[] {
  const units: Uint8Array[] = [];
  let begin = -1;
  for (let i = 0; i + 2 < data.length; i++) {
    if (data[i] !== 0 || data[i + 1] !== 0 || data[i + 2] !== 1) continue;
    if (begin >= 0) units.push(withoutZeros(data.subarray(begin, i)));
    begin = i + 3;
    i += 2;
  }
  if (begin >= 0) units.push(withoutZeros(data.subarray(begin)));
  return units.filter(({ length }) => length > 0);
}

function withoutZeros(unit: Uint8Array): Uint8Array {
  let end = unit.length;
  while (end > 0 && unit[end - 1] === 0) end--;
  return unit.subarray(0, end);
}

/** The parameter sets of an SDP's `sprop-parameter-sets` (RFC 6184, 8.1) as an Annex B stream; empty without any. */
export function parameterSetsOf(fmtp: string): Buffer {
  const sets = /(?:^|[; ])sprop-parameter-sets=([A-Za-z0-9+/=,]{1,512})/.exec(fmtp)?.[1]?.split(',') ?? [];
  const units = sets.map((set) => Buffer.from(set, 'base64')).filter((unit) => [SPS, PPS].includes(unit[0]! & 31));
  return Buffer.concat(units.flatMap((unit) => [START_CODE, unit]));
}
