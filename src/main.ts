#!/usr/bin/env node
/** Composition root: reads the command line and builds what it asks for. */

import path from 'node:path';
import { Command } from 'commander';
import { FaceOffError } from './errors.ts';
import { renderCommand } from './render.ts';
import { root } from './root.ts';

const CONFIG = path.join(root, 'config.yaml');

const program = new Command('faceoff')
  .description('Real-time webcam face swap over WebRTC')
  .addCommand(renderCommand(CONFIG));

try {
  await program.parseAsync();
} catch (error) {
  // What a person can mend is said in a sentence; anything else is a defect and shows its stack.
  console.error(error instanceof FaceOffError ? error.message : error);
  process.exitCode = 1;
}
