/** The operations of `/api/backgrounds`. */

import { z } from 'zod';
import type { ErrorCode } from '../../shared/error-catalogue.ts';
import {
  deletedReply,
  type FormFields,
  getOperation as get,
  jsonReply as json,
  type Operation,
  UNWANTED_BODY,
} from './operation.ts';
import { backgroundSchema } from './reply-schemas.ts';

const FORM: FormFields = {
  file: { text: 'The picture: JPEG, PNG, WebP, AVIF or GIF.', isFile: true, isRequired: true },
};

const FORM_ERRORS: readonly ErrorCode[] = [
  'wrong_type',
  'bad_form',
  'body_too_large',
  'no_file',
  'bad_picture',
  'picture_too_large',
  'picture_too_slow',
];

/** The pictures for backgrounds: list, add, delete. */
export const backgroundOperations: readonly Operation[] = [
  get('/api/backgrounds', 'listBackgrounds', 'All pictures for backgrounds, in the order of their adding', {
    group: 'backgrounds',
    replies: json('The pictures.', z.array(backgroundSchema)),
  }),
  {
    method: 'post',
    path: '/api/backgrounds',
    id: 'addBackground',
    group: 'backgrounds',
    summary: 'Adds a picture; it is kept without its metadata, at most 1920 pixels a side',
    body: { form: FORM },
    replies: { 201: { text: 'The picture.', schema: backgroundSchema, headers: ['Location'] } },
    errors: [...FORM_ERRORS, 'too_many_backgrounds', 'not_saved'],
  },
  {
    method: 'delete',
    path: '/api/backgrounds/{background}',
    id: 'deleteBackground',
    group: 'backgrounds',
    summary: 'Deletes a picture, also from presets; sessions that show it blur the room',
    replies: deletedReply,
    errors: ['unknown_background', 'not_saved', ...UNWANTED_BODY],
  },
  get('/api/backgrounds/{background}/thumbnail', 'backgroundThumbnail', 'A picture, 160 x 90', {
    group: 'backgrounds',
    replies: { 200: { text: 'The picture.', schema: 'binary', types: ['image/webp'], headers: ['Cache-Control'] } },
    errors: ['unknown_background', 'background_damaged'],
  }),
];
