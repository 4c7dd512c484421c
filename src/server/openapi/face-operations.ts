/** The operations of faces and of the consents for them. */

import { z } from 'zod';
import type { ErrorCode } from '../../shared/error-catalogue.ts';
import {
  deletedReply as deleted,
  type FormFields,
  getOperation as get,
  jsonReply as json,
  type Operation,
  PICTURE_FORM_ERRORS,
  UNWANTED_BODY,
} from './operation.ts';
import { consentSchema, facePreviewSchema, faceReportSchema, faceSchema, packImportSchema } from './reply-schemas.ts';
import { consentRequestSchema } from './request-schemas.ts';

const UPLOAD: FormFields = {
  file: { text: 'The picture: JPEG, PNG, WebP, AVIF or GIF.', isFile: true, isRequired: true },
  consent: { text: 'That you may use this face: it is yours, or the person agreed.', isRequired: true, value: 'true' },
  name: { text: 'Name of the face.' },
  confirmedBy: { text: 'Who confirms that, as they call themselves: kept with the consent.' },
  pick: { text: 'Which one, where the picture shows several: an `index` of `several_faces`, 0 to 999.' },
  face: { text: 'Id of the face that this is a further photo of.' },
};

const UPLOAD_ERRORS: readonly ErrorCode[] = [
  ...PICTURE_FORM_ERRORS,
  'consent_missing',
  'face_damaged',
  'unknown_face',
  'face_blocked',
  'built_in_face',
  'too_many_faces',
  'too_many_photos',
];

/** Add, preview, list, delete; show, confirm and revoke what was consented to. */
export const faceOperations: readonly Operation[] = [
  get('/api/faces', 'listFaces', 'All faces', { group: 'faces', replies: json('The faces.', z.array(faceSchema)) }),
  {
    method: 'post',
    path: '/api/faces',
    id: 'addFace',
    group: 'faces',
    summary: 'Adds a face, or a further photo of one',
    body: { form: UPLOAD },
    replies: { 201: { text: 'The face.', schema: faceSchema, headers: ['Location'] } },
    errors: [...UPLOAD_ERRORS, 'not_saved'],
  },
  get(
    '/api/face-pack',
    'exportFaces',
    'The faces that were added as a zip, with names and licences; without consents',
    {
      group: 'faces',
      query: ['face'],
      replies: {
        200: {
          text: 'The pack.',
          schema: 'binary',
          types: ['application/zip'],
          headers: ['Content-Disposition', 'Cache-Control'],
        },
      },
      errors: ['unknown_face', 'no_own_faces', 'face_damaged'],
    },
  ),
  {
    method: 'post',
    path: '/api/face-pack',
    id: 'importFaces',
    group: 'faces',
    summary: 'Adds the faces of a pack; each is checked as one that is added alone',
    body: {
      form: {
        file: { text: 'The zip: `pack.json` and the photos that it names.', isFile: true, isRequired: true },
        consent: { text: 'That you may use every face of it.', isRequired: true, value: 'true' },
        confirmedBy: { text: 'Who confirms that, as they call themselves: kept with the consents.' },
      },
    },
    replies: json('What was added, and what was not.', packImportSchema),
    errors: ['wrong_type', 'bad_form', 'bad_pack', 'body_too_large', 'no_file', 'consent_missing'],
  },
  get('/api/faces/{face}', 'reportFace', 'How well a face will do: its photos, what they lack, which one would help', {
    group: 'faces',
    replies: json('The face and its photos.', faceReportSchema),
    errors: ['unknown_face', 'face_damaged'],
  }),
  get('/api/faces/{face}/photos/{photo}', 'facePhoto', 'A photo of a face, as it is kept', {
    group: 'faces',
    replies: { 200: { text: 'The picture.', schema: 'binary', types: ['image/webp'], headers: ['Cache-Control'] } },
    errors: ['unknown_face', 'unknown_photo', 'bad_field', 'face_damaged'],
  }),
  {
    method: 'post',
    path: '/api/faces/preview',
    id: 'previewFace',
    group: 'faces',
    summary: 'How a face would look; nothing is kept',
    body: { form: UPLOAD },
    replies: json('The face on a shipped portrait, and what is wrong with the photo.', facePreviewSchema),
    errors: [...UPLOAD_ERRORS, 'preview_failed'],
  },
  {
    method: 'delete',
    path: '/api/faces/{face}',
    id: 'deleteFace',
    group: 'faces',
    summary: 'Deletes a face that was added',
    replies: deleted,
    errors: ['unknown_face', 'built_in_face', 'not_saved', ...UNWANTED_BODY],
  },
  get(
    '/api/faces/{face}/consent',
    'readConsent',
    'The consent for a face: who confirmed what, when, for which photos',
    {
      group: 'faces',
      replies: json('The consent; no pictures.', consentSchema),
      errors: ['unknown_face', 'built_in_face'],
    },
  ),
  {
    method: 'post',
    path: '/api/faces/{face}/consent',
    id: 'confirmConsent',
    group: 'faces',
    summary: 'Confirms again that a face may be used',
    body: { json: consentRequestSchema },
    replies: json('The face.', faceSchema),
    errors: [
      'unknown_face',
      'built_in_face',
      'consent_missing',
      'bad_field',
      'face_damaged',
      'bad_json',
      'body_too_large',
      'not_saved',
    ],
  },
  {
    method: 'delete',
    path: '/api/faces/{face}/consent',
    id: 'revokeConsent',
    group: 'faces',
    summary: 'Revokes the consent: the face is deleted, with its photos, here and in presets and live sessions',
    replies: deleted,
    errors: ['unknown_face', 'built_in_face', 'not_saved', 'body_too_large'],
  },
  get('/api/faces/{face}/thumbnail', 'faceThumbnail', 'A picture of a face, 160 x 160', {
    group: 'faces',
    replies: { 200: { text: 'The picture.', schema: 'binary', types: ['image/webp'], headers: ['Cache-Control'] } },
    errors: ['unknown_face', 'face_damaged'],
  }),
];
