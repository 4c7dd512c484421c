/** Every target of the fuzzer. */

import type { Target } from '../run/target.ts';
import { oscTarget } from './control/osc-target.ts';
import { packTarget } from './control/pack-target.ts';
import { planTarget } from './h264/plan-target.ts';
import { rtpTarget } from './h264/rtp-target.ts';
import { clipTarget } from './parsers/clip-target.ts';
import { configTarget } from './parsers/config-target.ts';
import { fragmentTarget } from './parsers/fragment-target.ts';
import { keptTarget } from './parsers/kept-target.ts';
import { messageTarget } from './parsers/message-target.ts';
import { offerTarget } from './parsers/offer-target.ts';
import { onnxTarget } from './parsers/onnx-target.ts';
import { printedTarget } from './parsers/printed-target.ts';
import { standInTarget } from './parsers/stand-in-target.ts';
import { wireTarget } from './parsers/wire-target.ts';
import { y4mTarget } from './parsers/y4m-target.ts';
import { animationTarget } from './pictures/animation-target.ts';
import { pictureTarget } from './pictures/picture-target.ts';
import { previewsTarget } from './pictures/previews-target.ts';
import { peerTarget } from './server/peer-target.ts';
import { rawTarget } from './server/raw-target.ts';
import { requestTarget } from './server/request-target.ts';
import { socketTarget } from './server/socket-target.ts';
import { startTarget } from './server/start-target.ts';
import { uploadTarget } from './server/upload-target.ts';
import { whipTarget } from './server/whip-target.ts';

/** Targets that need no other process, and whose inputs take less than a millisecond or two. */
export const QUICK_TARGETS: readonly Target[] = [
  offerTarget,
  fragmentTarget,
  messageTarget,
  configTarget,
  onnxTarget,
  y4mTarget,
  wireTarget,
  printedTarget,
  planTarget,
  rtpTarget,
  oscTarget,
  previewsTarget,
];

/** All targets, but for the stand-in, which is asked for by name alone. */
export const TARGETS: readonly Target[] = [
  ...QUICK_TARGETS,
  keptTarget,
  packTarget,
  pictureTarget,
  animationTarget,
  clipTarget,
  peerTarget,
  requestTarget,
  rawTarget,
  socketTarget,
  whipTarget,
  uploadTarget,
  startTarget,
];

/** The target of that name. @throws Error naming all of them. */
export function targetNamed(name: string): Target {
  const target = [...TARGETS, standInTarget].find((one) => one.name === name);
  if (target !== undefined) return target;
  throw new Error(`There is no target ${name}. There are: ${TARGETS.map((one) => one.name).join(', ')}.`);
}
