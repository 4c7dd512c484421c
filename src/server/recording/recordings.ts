import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { requireEncoder } from '../../media/ffmpeg.ts';
import type { Metrics } from '../../metrics.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { RecordingFormat } from '../../shared/recording-formats.ts';
import type { RecordedSession } from './recorded-session.ts';
import { Recorder } from './recorder.ts';
import { FORMATS } from './recording-format.ts';
import { RecordingsFolder } from './recordings-folder.ts';

/** Starts recordings and owns those in progress; the finished ones are in its folder. */
export class Recordings {
  readonly folder: RecordingsFolder;
  readonly #config: Pick<Config['recording'], 'format'>;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #open = new Set<Recorder>();

  constructor({ recording }: Config, metrics: Metrics, log: Logger) {
    this.folder = new RecordingsFolder(recording);
    this.#config = recording;
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Keeps the files that a crashed server left behind. */
  async recover(): Promise<void> {
    for (const file of await this.folder.recover())
      this.#log.info({ file, folder: this.folder.dir }, 'a recording that was cut off is kept');
  }

  /**
   * Starts to record a session. Recordings have no sound where ffmpeg lacks the format's sound encoder.
   * @throws FaceOffError `already_recording` (409), `no_ffmpeg`, `no_encoder` (503), `recordings_full`, `disk_full`
   *   (507), `recordings_unwritable` (500), `session_closed` (410).
   */
  async start(session: RecordedSession, format: RecordingFormat = this.#config.format): Promise<void> {
    refuseTwice(session);
    const { encoder, sound } = FORMATS[format];
    await requireEncoder(encoder, `A recording as ${format}`);
    const hasSound = await requireEncoder(sound.encoder, 'Sound').then(
      () => true,
      () => false,
    );
    if (!hasSound)
      this.#log.warn({ encoder: sound.encoder }, 'this ffmpeg cannot write sound, so recordings have none');
    await this.folder.prepare();
    // Meanwhile another request may have started a recording, or the session may have ended.
    refuseTwice(session);
    if (session.isClosed) throw new FaceOffError('session_closed', 'The session ended before it could be recorded.');
    const recorder: Recorder = new Recorder({
      folder: this.folder,
      format,
      name: session.stream === session.id ? session.id.slice(0, 8) : session.stream,
      hasSound,
      onEnd: ({ files, frames, dropped, bytes, error }) => {
        this.#open.delete(recorder);
        this.#metrics.recordings(this.#open.size, dropped);
        const facts = { session: session.id, files, frames, dropped, bytes };
        if (error === null) this.#log.info(facts, 'recording finished');
        else this.#log.warn({ ...facts, code: error.code, error: error.message }, 'recording ended early');
      },
    });
    this.#open.add(recorder);
    this.#metrics.recordings(this.#open.size);
    session.record(recorder);
    this.#log.info({ session: session.id, folder: this.folder.dir, format }, 'recording started');
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
