/** The server's refusals in the reader's language, by their code. */

import type { ErrorCode } from '../../shared/error-catalogue.ts';
import type { ErrorBody } from '../../shared/messages.ts';
import { language, t } from './translate.ts';

/** What a person who meets the code in a page is told. The server's English sentence says the same with its figures. */
const BY_CODE: Readonly<Partial<Record<ErrorCode, string>>> = {
  internal: t('Something went wrong in the server. Its log says what.'),
  request_timeout: t('The upload took too long. Try again over a faster connection, or with a smaller file.'),
  body_too_large: t('That is too large to be sent. Send less at once.'),
  wrong_token: t('That is not the token of this server.'),
  no_token: t('This server wants its token. Load the page again to give it.'),
  too_many_attempts: t('Too many wrong tokens came from here. Try again in a minute.'),
  foreign_origin: t('This server does not take requests of this page’s address.'),
  server_full: t('All places of the server are taken. Try again in a moment.'),
  server_stopping: t('The server is stopping and takes nothing new.'),
  closing: t('The server is stopping and takes nothing new.'),
  session_closed: t('The session ended before that was done.'),
  unknown_session: t('The session has ended.'),
  unknown_stream: t('There is no stream of that name just now.'),
  stream_taken: t('The stream’s name is in use. Choose another one, or wait until it is free.'),
  no_publisher: t('There is no picture under that name just now. Try again in a moment.'),
  viewers_full: t('All places of viewers are taken.'),
  name_taken: t('Another person in this call has that name. Choose another one, or wait a moment if that was you.'),
  room_full: t('All places in this call are taken. Try again later.'),
  ports_taken: t('The server has no free port for another connection. Try again in a moment.'),
  no_codec: t('Your browser and the server have no way in common to carry video.'),
  no_video: t('The video of your browser cannot be used by the server.'),
  bad_sdp: t('The server cannot use what your browser offers.'),
  lane_lost: t('A part of the server broke down and is being replaced.'),
  no_livekit: t('The server’s cluster is not set up.'),
  livekit_refused: t('The server has no access to its cluster.'),
  livekit_unreachable: t('The server does not reach its cluster.'),
  bad_settings: t('These settings cannot be used.'),
  bad_name: t('That name cannot be used: it is too long, or has characters that are not allowed.'),
  bad_field: t('A field of the form cannot be used as it is.'),
  bad_form: t('The upload did not arrive whole. Send it again.'),
  each_their_own: t('Each person has a face of their own. In the studio, click the person, then the face.'),
  disclosure_not_acknowledged: t('The mark stays in the picture.'),
  unknown_preset: t('That preset is gone.'),
  too_many_presets: t('There are as many presets as the server keeps. Delete one first.'),
  too_many_backgrounds: t('There are as many backgrounds as the server keeps. Delete one first.'),
  unknown_background: t('That background is gone.'),
  background_damaged: t('The picture of this background is damaged. Delete it, and add it again.'),
  not_saved: t('That could not be saved on the server. All is as before.'),
  no_picture: t('There is no picture yet. Try again in a moment.'),
  not_shown: t('The face cannot be shown on you now.'),
  unknown_face: t('That face is gone.'),
  face_damaged: t('The photos of this face cannot be read any more. Delete the face, and add it again.'),
  built_in_face: t('This face comes with FaceOff and cannot be changed or deleted.'),
  too_many_faces: t('There are as many faces as the server keeps. Delete one first.'),
  too_many_photos: t('This face has as many photos as help.'),
  consent_due: t('For this face it has to be confirmed again that it may be used. Choose it in the studio to do so.'),
  consent_missing: t('Confirm that you may use this face: it is yours, or the person agreed.'),
  face_blocked: t(
    'This server does not take this face: its person asked for that, or looks much like a person who did. Use another face.',
  ),
  bad_pack: t('This is no pack of faces that can be used.'),
  no_own_faces: t('There are no faces to export: included ones are everywhere.'),
  no_file: t('There is no picture in the upload.'),
  bad_picture: t('This file is not a picture that can be read. Use a JPEG, PNG, WebP, AVIF, GIF or TIFF picture.'),
  picture_too_large: t('The picture is too large. Save it smaller and try again.'),
  picture_too_slow: t('The picture takes too long to decode. Save it smaller, or as a JPEG, and try again.'),
  no_face: t(
    'There is no face in this picture, or it is too small or too dark to be found. Use a picture in which the face is large, lit and turned to the camera.',
  ),
  several_faces: t('There are several faces in this picture. Pick the one to use.'),
  no_such_face: t('The picture does not show that many faces.'),
  face_turned: t(
    'The face in this picture is turned too far from the camera. Use one in which both eyes are well in view.',
  ),
  face_too_small: t('The face in this picture is too small. Use a larger picture, or one taken from nearer.'),
  preview_failed: t('The face cannot be shown now. Add it, and see it live.'),
  already_recording: t('This session is being recorded already.'),
  recording_failed: t('The recording could not go on.'),
  recordings_full: t('The recordings take as much room as the server allows. Delete some first.'),
  recordings_unwritable: t('The server cannot write into the folder of its recordings.'),
  disk_full: t('The disk of the server is full.'),
  no_ffmpeg: t('The server needs ffmpeg for that, which is not installed.'),
  no_encoder: t('The server’s ffmpeg cannot write that format.'),
};

/** Codes whose English sentence tells more than the translated one, such as a reason from elsewhere. */
const WITH_DETAIL: ReadonlySet<string> = new Set<ErrorCode>([
  'internal',
  'bad_settings',
  'bad_field',
  'bad_sdp',
  'bad_pack',
  'not_saved',
  'recording_failed',
  'recordings_unwritable',
  'livekit_unreachable',
]);

/** A refusal for people. In English, and for a code that no page meets, it is the server's own sentence. */
export function errorText({ code, message }: Pick<ErrorBody, 'code' | 'message'>): string {
  const sentence = BY_CODE[code as ErrorCode];
  if (language() === 'en' || sentence === undefined) return message;
  return WITH_DETAIL.has(code) ? t('{{sentence}} The server says: {{message}}', { sentence, message }) : sentence;
}
