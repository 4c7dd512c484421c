import path from 'node:path';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { requireEncoder } from '../../media/ffmpeg.ts';
import { addXmpBox, HAS_XMP_BOX } from '../../media/provenance/xmp-box.ts';
import type { Metrics } from '../../metrics.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { RecordingState } from '../../shared/messages.ts';
import type { RecordingFormat } from '../../shared/recording-formats.ts';
import type { ServerEvents } from '../hooks/server-events.ts';
import type { RecordedSession } from './recorded-session.ts';
import { Recorder } from './recorder.ts';
import { FORMATS } from './recording-format.ts';
import { RecordingsFolder } from './recordings-folder.ts';

/** What recordings need of the server. */
export interface RecordingsParts {
  config: Config;
  metrics: Metrics;
  events: ServerEvents;
  log: Logger;
}

/** Starts recordings and owns those in progress; the finished ones are in its folder. */
export class Recordings {
  readonly folder: RecordingsFolder;
  readonly #parts: RecordingsParts;
  readonly #open = new Set<Recorder>();

  constructor(parts: RecordingsParts) {
    const { recording } = parts.config;
    this.folder = new RecordingsFolder(recording);
    this.#parts = parts;
  }

  /** Keeps the files that a crashed server left behind. */
  async recover(): Promise<void> {
    for (const file of await this.folder.recover())
      this.#parts.log.info({ file, folder: this.folder.dir }, 'a recording that was cut off is kept');
  }

  /**
   * Starts to record a session. Recordings have no sound where ffmpeg lacks the format's sound encoder.
   * @throws FaceOffError `already_recording` (409), `no_ffmpeg`, `no_encoder` (503), `recordings_full`, `disk_full`
   *   (507), `recordings_unwritable` (500), `session_closed` (410).
   */
  async start(session: RecordedSession, format: RecordingFormat = this.#parts.config.recording.format): Promise<void> {
    refuseTwice(session);
    const log = this.#parts.log.child({ session: session.id });
    const { encoder, sound } = FORMATS[format];
    await requireEncoder(encoder, `A recording as ${format}`);
    const hasSound = await requireEncoder(sound.encoder, 'Sound').then(
      () => true,
      () => false,
    );
    if (!hasSound) log.warn({ encoder: sound.encoder }, 'this ffmpeg cannot write sound, so recordings have none');
    await this.folder.prepare();
    // Meanwhile another request may have started a recording, or the session may have ended.
    refuseTwice(session);
    if (session.isClosed) throw new FaceOffError('session_closed', 'The session ended before it could be recorded.');
    const recorder: Recorder = new Recorder({
      folder: this.folder,
      format,
      name: session.stream === session.id ? session.id.slice(0, 8) : session.stream,
      hasSound,
      mark: async (file) => {
        if (!HAS_XMP_BOX.test(file)) return;
        await addXmpBox(file).catch((error: unknown) =>
          log.warn({ why: messageOf(error) }, 'a recording lacks the XMP field that says that a face was swapped'),
        );
      },
      onEnd: (state) => {
        this.#open.delete(recorder);
        this.#parts.metrics.recordings(this.#open.size, state.dropped);
        const { files, frames, dropped, bytes, error } = state;
        const facts = { files, frames, dropped, bytes };
        if (error === null) log.info(facts, 'recording finished');
        else log.warn({ ...facts, code: error.code, error: error.message }, 'recording ended early');
        this.#tell({ stream: session.stream, session: session.id }, state);
      },
    });
    this.#open.add(recorder);
    this.#parts.metrics.recordings(this.#open.size);
    session.record(recorder);
    log.info({ folder: this.folder.dir, format }, 'recording started');
  }

  /** Tells of each file, and of the fault that ended the recording early. */
  #tell(names: { stream: string; session: string }, { files, folder, lastedMs, error }: RecordingState): void {
    const { events } = this.#parts;
    for (const [at, file] of files.entries())
      events.tell('recording.finished', {
        ...names,
        file: path.join(folder, file),
        part: at + 1,
        parts: files.length,
        lastedMs,
        code: error?.code ?? null,
      });
    if (error !== null) events.tell('fault', { part: 'recording', code: error.code, cause: error.message, ...names });
  }

  /** Stops all recordings; resolves when every file is finished. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((recorder) => recorder.stop()));
  }
}

function refuseTwice(session: RecordedSession): void {
  if (session.recorder?.isActive)
    throw new FaceOffError('already_recording', 'This session is being recorded already.');
}
